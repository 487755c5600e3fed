//! A list of numbers as a program for the kernel that finds one in few steps: when a filter is set,
//! the kernel runs it for every call there is, and a worker that replaces another is waited for.

use std::ops::RangeInclusive;

use libc::sock_filter;

use super::{compare, step};

/// A program that gives `answer` for a loaded number that is in the list, and else goes on behind
/// its end.
pub(super) fn search(mut numbers: Vec<u32>, answer: sock_filter) -> Vec<sock_filter> {
    numbers.sort_unstable();
    numbers.dedup();
    let runs = numbers.chunk_by(|&one, &next| one + 1 == next);
    let runs: Vec<_> = runs.map(|run| run[0]..=run[run.len() - 1]).collect();
    among(&runs, 0, answer)
}

/// The same for runs of numbers; `behind` it are so many steps of the whole program.
fn among(runs: &[RangeInclusive<u32>], behind: usize, answer: sock_filter) -> Vec<sock_filter> {
    match runs {
        [] => Vec::new(),
        [run] => vec![
            step(compare(libc::BPF_JGE), 0, 2, *run.start()),
            step(compare(libc::BPF_JGT), 1, 0, *run.end()),
            answer,
            step(libc::BPF_JMP | libc::BPF_JA, 0, 0, behind as u32),
        ],
        runs => {
            let (low, high) = runs.split_at(runs.len() / 2);
            let after = among(high, behind, answer);
            let before = among(low, behind + after.len(), answer);
            let far = u8::try_from(before.len()).expect("half of the list is short");
            let split = step(compare(libc::BPF_JGE), far, 0, *high[0].start());
            [vec![split], before, after].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: u32 = 7;

    /// What the kernel would come to: the answer, or none behind the end.
    fn run(program: &[sock_filter], number: u32) -> Option<u32> {
        let mut at = 0;
        while let Some(step) = program.get(at) {
            at += 1;
            let holds = match u32::from(step.code) & 0xf0 {
                _ if u32::from(step.code) == libc::BPF_RET => return Some(step.k),
                libc::BPF_JA => {
                    at += step.k as usize;
                    continue;
                }
                libc::BPF_JGE => number >= step.k,
                libc::BPF_JGT => number > step.k,
                other => panic!("{other:#x}"),
            };
            at += usize::from(if holds { step.jt } else { step.jf });
        }
        assert_eq!(at, program.len(), "just behind the end");
        None
    }

    #[test]
    fn a_number_is_found_if_it_is_there() {
        let lists: [&[u32]; 5] = [
            &[],
            &[5],
            &[0],
            &[3, 1, 2, 3, 9],
            &[10, 20, 21, 22, 30, 40, 41],
        ];
        for list in lists {
            let program = search(list.to_vec(), step(libc::BPF_RET, 0, 0, ANSWER));
            for number in 0..50 {
                let expected = list.contains(&number).then_some(ANSWER);
                assert_eq!(run(&program, number), expected, "{number} in {list:?}");
            }
        }
    }

    #[test]
    fn the_list_of_refused_calls_is_found_in_few_steps() {
        let refused: Vec<u32> = super::super::refused(super::super::Changes::None).collect();
        let program = search(refused.clone(), step(libc::BPF_RET, 0, 0, ANSWER));
        for number in 0..1000 {
            assert_eq!(run(&program, number).is_some(), refused.contains(&number));
        }
        assert!(program.len() < 500, "{}", program.len());
    }
}
