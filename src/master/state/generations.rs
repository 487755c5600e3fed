//! Generations: the slots of one configuration, who fills them and when, and how many generations
//! there may be.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::child::{Child, Duty, GRACE, Patience};
use super::intent::Intent;
use super::slot::Slot;
use super::{Action, Master, Seat, Terms};
use crate::log::Level;
use crate::sys::process::Pid;

/// While no worker is ready, the next one is forked this long after the last instead of when its
/// back-off ends.
const FORWARD: Duration = Duration::from_millis(100);
/// How long the workers of a new configuration may take to start where nothing else says so.
const LONGEST_START: Duration = Duration::from_secs(30);

/// The workers of one configuration.
pub(super) struct Generation {
    pub number: u64,
    pub terms: Terms,
    pub slots: Vec<Slot>,
}

impl Generation {
    pub fn new(number: u64, terms: Terms, now: Instant) -> Generation {
        Generation {
            number,
            terms,
            slots: (0..terms.workers).map(|_| Slot::new(now)).collect(),
        }
    }

    /// The slots that nobody sits in, and when they are due.
    fn vacancies(&self, children: &[Child]) -> Vec<(Seat, Instant)> {
        let mut empty = vec![true; self.slots.len()];
        for child in children {
            if child.seat.generation == self.number {
                empty[child.seat.slot] = false;
            }
        }
        let generation = self.number;
        let seat = |slot| Seat { generation, slot };
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(slot, _)| empty[*slot])
            .map(|(slot, it)| (seat(slot), it.due))
            .collect()
    }
}

impl Master {
    pub(super) fn spawned(&mut self, seat: Seat, pid: Pid) {
        if let Some(child) = self.children.iter_mut().find(|child| child.seat == seat) {
            child.pid = Some(pid);
        }
        // The end of the one before has announced an attempt, and there may be many.
        let level = match self.slot(seat).is_some_and(|slot| slot.backs_off()) {
            true => Level::Info,
            false => Level::Notice,
        };
        self.log(level, format!("start worker process {pid}"));
    }

    pub(super) fn fill_slots(&mut self) {
        let now = self.now;
        for (seat, due) in self.vacancies() {
            if due <= now {
                let patience = self.patience(seat.generation);
                self.last_fork = now;
                self.children.push(Child::new(seat, patience, now));
                self.actions.push(Action::Spawn(seat));
            }
        }
    }

    /// A reload ends, whatever becomes of its workers.
    fn patience(&self, generation: u64) -> Patience {
        let Some(Generation { terms, .. }) = self.generation(generation) else {
            return Patience::default();
        };
        let (pong, dump) = (terms.stall, terms.dump);
        let start = match pong.is_zero() && self.is_starting(generation) {
            true => LONGEST_START,
            false => pong,
        };
        Patience { start, pong, dump }
    }

    /// The seats to be filled, and when. A generation that is being replaced has none.
    pub(super) fn vacancies(&self) -> Vec<(Seat, Instant)> {
        let mut vacant = Vec::new();
        let serving = self.serving.as_ref();
        if let Some(generation) = serving.filter(|_| self.intent == Intent::Serve) {
            vacant = generation.vacancies(&self.children);
            let number = generation.number;
            let served = |child: &Child| child.seat.generation == number && child.ready;
            let free = vacant
                .iter_mut()
                .filter(|(seat, _)| !generation.slots[seat.slot].is_haunted());
            if let Some((_, due)) = free.min_by_key(|(_, due)| *due)
                && !self.children.iter().any(served)
            {
                *due = (*due).min(self.last_fork + FORWARD);
            }
            self.leave_room(&mut vacant);
        }
        vacant.extend(self.starting_vacancies());
        vacant
    }

    /// While one generation too many leaves, one worker of the serving one will do; the oldest are
    /// killed soon.
    fn leave_room(&self, vacant: &mut [(Seat, Instant)]) {
        let serving = self.serving.as_ref().map(|generation| generation.number);
        let mut children = self.children.iter();
        let some = children.any(|child| Some(child.seat.generation) == serving);
        let excess = self.leaving().len().saturating_sub(self.most_leaving());
        if excess > 0 {
            vacant.sort_by_key(|(_, due)| *due);
            let one = usize::from(excess == 1 && !some);
            let later = vacant.iter_mut().skip(one);
            later.for_each(|(_, due)| *due = (*due).max(self.now + 2 * GRACE));
        }
    }

    /// The first worker of a new generation is its canary: the others follow once it is ready, and
    /// once there is room for them.
    fn starting_vacancies(&self) -> Vec<(Seat, Instant)> {
        let starting = self.reload.as_ref().and_then(|reload| reload.starting());
        let Some(generation) = starting else {
            return Vec::new();
        };
        let mut vacant = generation.vacancies(&self.children);
        if !self.has_canary(generation.number) {
            vacant.retain(|(seat, _)| seat.slot == 0);
        }
        vacant.retain(|_| self.leaving().len() <= self.most_leaving());
        vacant
    }

    fn has_canary(&self, generation: u64) -> bool {
        let canary = Seat {
            generation,
            slot: 0,
        };
        let mut children = self.children.iter();
        children.any(|child| child.seat == canary && child.ready)
    }

    /// A generation that is meant to have workers.
    pub(super) fn generation(&self, number: u64) -> Option<&Generation> {
        let reload = self.reload.as_ref().and_then(|reload| reload.generation());
        let mut known = self.serving.iter().chain(reload);
        known.find(|generation| generation.number == number)
    }

    pub(super) fn slot(&mut self, seat: Seat) -> Option<&mut Slot> {
        let reload = self
            .reload
            .as_mut()
            .and_then(|reload| reload.generation_mut());
        let mut known = self.serving.iter_mut().chain(reload);
        let generation = known.find(|generation| generation.number == seat.generation)?;
        generation.slots.get_mut(seat.slot)
    }

    /// The generations that are to leave, and how many of their workers were not told to stop.
    fn leaving(&self) -> BTreeMap<u64, usize> {
        let mut leaving = BTreeMap::new();
        for child in &self.children {
            let number = child.seat.generation;
            if self.generation(number).is_none() {
                *leaving.entry(number).or_default() += usize::from(child.duty < Duty::Stop);
            }
        }
        leaving
    }

    /// How many generations may be leaving. A new one beside the serving one takes the place of
    /// one, as soon as it is more than a canary.
    fn most_leaving(&self) -> usize {
        let cap = self.serving.as_ref().map_or(0, |it| it.terms.generations);
        if cap == 0 {
            return usize::MAX;
        }
        let reload = self.reload.as_ref();
        let starting = reload.and_then(|reload| reload.starting());
        let grown = starting.is_some_and(|generation| self.has_canary(generation.number));
        let former = reload.and_then(|reload| reload.former());
        cap - usize::from(grown || former.is_some())
    }

    /// Ends the oldest of too many.
    pub(super) fn cut_generations(&mut self) {
        if self.serving.is_none() {
            return;
        }
        let leaving = self.leaving();
        let excess = leaving.len().saturating_sub(self.most_leaving());
        let mut oldest: Vec<_> = leaving.into_iter().collect();
        // Those that end already make room, too.
        oldest.sort_by_key(|&(number, workers)| (workers > 0, number));
        for (number, workers) in oldest.into_iter().take(excess) {
            let of = |child: &&mut Child| child.seat.generation == number;
            let children = self.children.iter_mut().filter(of);
            children.for_each(|child| child.require(Duty::Stop));
            if workers > 0 {
                let what = format!(
                    "more generations than worker_generations allows: \
                     the {workers} workers of generation {number} are cut"
                );
                self.log(Level::Warn, what);
            }
        }
    }
}
