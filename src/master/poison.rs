//! Which requests keep crashing workers. Not what is done about it.

/// Crashes that make a request poison.
const LETHAL: u32 = 3;
/// Requests that are remembered; beyond them the one is forgotten that crashed nothing for longest.
const SUSPECTS: usize = 64;

/// The requests that have crashed a worker, the latest last.
#[derive(Default)]
pub struct Poison(Vec<Suspect>);

struct Suspect {
    /// What tells it from other requests.
    identity: Vec<u8>,
    crashes: u32,
}

impl Poison {
    /// Notes a crash; whether it is the one that makes this request poison.
    pub fn crashed(&mut self, identity: Vec<u8>) -> bool {
        let known = self
            .0
            .iter()
            .position(|suspect| suspect.identity == identity);
        let before = known.map_or(0, |at| self.0.remove(at).crashes);
        if self.0.len() == SUSPECTS {
            self.0.remove(0);
        }
        let crashes = before.saturating_add(1);
        self.0.push(Suspect { identity, crashes });
        crashes == LETHAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_crash_tells_and_no_other() {
        let mut poison = Poison::default();
        let mut crashed = |text: &str| poison.crashed(text.into());
        assert!(!crashed("a") && !crashed("b") && !crashed("a"));
        assert!(crashed("a"), "the third");
        assert!(!crashed("a"), "it was told");
        assert!(!crashed("b"));
        assert!(crashed("b"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut poison = Poison::default();
        for _ in 0..2 {
            poison.crashed(b"old".into());
        }
        for number in 0..1000u32 {
            assert!(!poison.crashed(number.to_string().into()));
            assert!(poison.0.len() <= SUSPECTS);
        }
        assert!(!poison.crashed(b"old".into()), "forgotten");
        assert!(!poison.crashed(b"999".into()) && poison.crashed(b"999".into()));
    }
}
