//! Which passwords were right lately, so that a client that shows its own with every request does
//! not cost a slow hash each time. What is kept is no password, nor anything that one could be
//! guessed from without the secret of this process. Nothing has to be forgotten when a file
//! changes: a proof holds for what is stored in the file, which is read each time.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};

use sha2::{Digest, Sha256};

use crate::sys::random;

/// Proofs that are kept; the oldest make room.
const MOST: usize = 1024;

/// That a user showed the password that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Proof([u8; 32]);

struct Recent {
    /// Without a secret, nothing is kept.
    secret: Option<[u8; 32]>,
    proofs: HashSet<Proof>,
    order: VecDeque<Proof>,
}

thread_local! {
    /// The event loop's, which is one thread.
    static RECENT: RefCell<Recent> = RefCell::new(Recent::new());
}

/// What would prove it.
pub fn proof(user: &[u8], password: &[u8], stored: &[u8]) -> Option<Proof> {
    RECENT.with_borrow(|recent| recent.proof(user, password, stored))
}

/// Whether it was proved.
pub fn knows(proof: &Option<Proof>) -> bool {
    RECENT.with_borrow(|recent| proof.is_some_and(|proof| recent.proofs.contains(&proof)))
}

/// It was proved.
pub fn remember(proof: Option<Proof>) {
    if let Some(proof) = proof {
        RECENT.with_borrow_mut(|recent| recent.remember(proof));
    }
}

impl Recent {
    fn new() -> Recent {
        let mut secret = [0; 32];
        Recent {
            secret: random::fill(&mut secret).is_ok().then_some(secret),
            proofs: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    fn proof(&self, user: &[u8], password: &[u8], stored: &[u8]) -> Option<Proof> {
        // SHA-256 can be lengthened by who knows a result; nobody sees one.
        let mut digest = Sha256::new_with_prefix(self.secret?);
        for part in [user, password, stored] {
            digest.update((part.len() as u64).to_ne_bytes());
            digest.update(part);
        }
        Some(Proof(digest.finalize().into()))
    }

    fn remember(&mut self, proof: Proof) {
        if !self.proofs.insert(proof) {
            return;
        }
        self.order.push_back(proof);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.proofs.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_what_was_proved() {
        let mut recent = Recent::new();
        let proof = |recent: &Recent, user: &str, password: &str, stored: &str| {
            let parts = [user, password, stored].map(str::as_bytes);
            recent.proof(parts[0], parts[1], parts[2]).unwrap()
        };
        let proved = proof(&recent, "alice", "secret", "$1$");
        recent.remember(proved);
        recent.remember(proved);
        for (user, password, stored, known) in [
            ("alice", "secret", "$1$", true),
            ("alice", "secret", "$2$", false),
            ("alice", "secre", "t$1$", false),
            ("alic", "esecret", "$1$", false),
            ("bob", "secret", "$1$", false),
        ] {
            let proof = proof(&recent, user, password, stored);
            assert_eq!(recent.proofs.contains(&proof), known, "{user} {password}");
        }
        let other = Recent::new();
        assert_ne!(proof(&other, "alice", "secret", "$1$"), proved);
    }

    #[test]
    fn the_oldest_make_room() {
        let mut recent = Recent::new();
        let proof = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_ne_bytes());
            Proof(bytes)
        };
        (0..2 * MOST).for_each(|number| recent.remember(proof(number)));
        assert_eq!((recent.proofs.len(), recent.order.len()), (MOST, MOST));
        assert!(recent.proofs.contains(&proof(2 * MOST - 1)));
        assert!(!recent.proofs.contains(&proof(MOST - 1)));
    }
}
