//! The order in which what waits is run.
//!
//! Every tenant has a lane for each priority. Tenants take turns by their share,
//! and within a tenant the priorities by theirs, so that neither a busy tenant
//! nor urgent work keeps the rest waiting for ever. Within a lane, what came
//! first goes first. Memory is some 150 bytes for each that waits; no operation
//! looks at more than a few of them.

mod lane;
mod turns;

use lane::Lane;
use pilum_types::{Priority, TenantId};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};
use turns::Turns;

/// An execution that waits.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// The store's number of it.
    pub(crate) number: u64,
    pub(crate) tenant: TenantId,
    pub(crate) priority: Priority,
    /// Not before this time.
    pub(crate) not_before: Option<SystemTime>,
    /// If it has not started by then, it cannot end in time.
    pub(crate) latest_start: Option<SystemTime>,
    /// Whether it has had its turn before: then it goes to the front.
    pub(crate) again: bool,
    /// Whether it may have taken its workers along: then it runs only while no
    /// other such does, so that it takes no other such along.
    pub(crate) suspect: bool,
}

/// What waits, and in which order it goes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: HashMap<u64, Entry>,
    tenants: HashMap<TenantId, Tenant>,
    turns: Turns<TenantId>,
    suspects: Lane,
    /// What may not run yet, by when it may.
    delayed: BTreeSet<(SystemTime, u64)>,
    /// What has a latest start, by that.
    latest_starts: BTreeSet<(SystemTime, u64)>,
    /// The tenants' shares, where they are not 1.
    shares: HashMap<TenantId, u32>,
}

#[derive(Debug)]
struct Entry {
    waiting: Waiting,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Delayed(SystemTime),
    Lane(i64),
    Suspects(i64),
}

#[derive(Debug, Default)]
struct Tenant {
    lanes: [Lane; Priority::ALL.len()],
    turns: Turns<Priority>,
    len: usize,
}

impl Queue {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Gives a tenant a share other than 1 of the starts.
    #[cfg(test)]
    pub(crate) fn set_share(&mut self, tenant: TenantId, share: u32) {
        self.shares.insert(tenant, share);
    }

    /// Has something wait.
    pub(crate) fn push(&mut self, waiting: Waiting, now: SystemTime) {
        if let Some(at) = waiting.latest_start {
            self.latest_starts.insert((at, waiting.number));
        }
        let place = match waiting.not_before.filter(|at| *at > now) {
            Some(at) => {
                self.delayed.insert((at, waiting.number));
                Place::Delayed(at)
            }
            None => self.line_up(&waiting),
        };
        self.waiting.insert(waiting.number, Entry { waiting, place });
    }

    /// Takes out what goes next, a suspect only where `with_suspect`.
    pub(crate) fn pop(&mut self, now: SystemTime, with_suspect: bool) -> Option<Waiting> {
        self.wake(now);
        let number = match self.suspects.len() {
            1.. if with_suspect => self.suspects.pop()?,
            _ => self.pop_lane()?,
        };
        self.forget(number)
    }

    /// Takes out something, wherever it waits.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Waiting> {
        let entry = self.waiting.get(&number)?;
        let (place, tenant, priority) = (entry.place, entry.waiting.tenant.clone(), entry.waiting.priority);
        match place {
            Place::Delayed(at) => {
                self.delayed.remove(&(at, number));
            }
            Place::Suspects(seat) => self.suspects.leave(seat),
            Place::Lane(seat) => {
                if let Some(of_tenant) = self.tenants.get_mut(&tenant) {
                    of_tenant.leave(priority, seat);
                }
                self.tidy(&tenant);
            }
        }
        self.forget(number)
    }

    /// Takes out something that can no longer end in time.
    pub(crate) fn pop_late(&mut self, now: SystemTime) -> Option<Waiting> {
        let (at, number) = *self.latest_starts.first()?;
        if at < now { self.remove(number) } else { None }
    }

    /// Whether [`pop`](Self::pop) would take something out.
    pub(crate) fn has_next(&self, now: SystemTime, with_suspect: bool) -> bool {
        let delayed = self.delayed.first().is_some_and(|(at, _)| *at <= now);
        self.turns.next().is_some() || (with_suspect && self.suspects.len() > 0) || delayed
    }

    /// Whether [`pop_late`](Self::pop_late) would.
    pub(crate) fn has_late(&self, now: SystemTime) -> bool {
        self.latest_starts.first().is_some_and(|(at, _)| *at < now)
    }

    /// When there is something to do again, if nothing can be popped now.
    pub(crate) fn next_due(&self, now: SystemTime) -> Option<SystemTime> {
        // What is due by now waits for room, not for the time.
        let delayed = self.delayed.range((now, u64::MAX)..).next().map(|(at, _)| *at);
        // A latest start may still be met at that very moment.
        let late = self.latest_starts.first().and_then(|(at, _)| at.checked_add(Duration::from_nanos(1)));
        delayed.into_iter().chain(late).min()
    }

    /// About how many start before this one does; `None` if it does not wait,
    /// or may not run yet.
    pub(crate) fn ahead(&self, number: u64) -> Option<usize> {
        let Entry { waiting, place } = self.waiting.get(&number)?;
        match *place {
            Place::Delayed(_) => None,
            Place::Suspects(seat) => Some(self.suspects.ahead(seat)),
            Place::Lane(seat) => {
                let of_tenant = self.tenants.get(&waiting.tenant)?;
                let ahead = of_tenant.ahead(waiting.priority, seat);
                let own = self.share(&waiting.tenant);
                let others = self.tenants.iter().filter(|(tenant, _)| **tenant != waiting.tenant);
                let before =
                    others.map(|(tenant, other)| meanwhile(ahead, own, self.share(tenant), other.len));
                Some(ahead + before.sum::<usize>())
            }
        }
    }

    fn pop_lane(&mut self) -> Option<u64> {
        let tenant = self.turns.next()?.clone();
        let share = self.share(&tenant);
        let number = self.tenants.get_mut(&tenant)?.pop();
        self.turns.charge(&tenant, share);
        self.tidy(&tenant);
        number
    }

    /// Lines up what may run by now.
    fn wake(&mut self, now: SystemTime) {
        while let Some(&(at, number)) = self.delayed.first() {
            if at > now {
                break;
            }
            self.delayed.pop_first();
            let Some(waiting) = self.waiting.get(&number).map(|entry| entry.waiting.clone()) else {
                continue;
            };
            let place = self.line_up(&waiting);
            if let Some(entry) = self.waiting.get_mut(&number) {
                entry.place = place;
            }
        }
    }

    fn line_up(&mut self, waiting: &Waiting) -> Place {
        if waiting.suspect {
            return Place::Suspects(self.suspects.push_back(waiting.number));
        }
        // Who came first goes first.
        self.turns.join(&waiting.tenant, waiting.number);
        let of_tenant = self.tenants.entry(waiting.tenant.clone()).or_default();
        Place::Lane(of_tenant.join(waiting))
    }

    fn tidy(&mut self, tenant: &TenantId) {
        if self.tenants.get(tenant).is_some_and(|of_tenant| of_tenant.len == 0) {
            self.tenants.remove(tenant);
            self.turns.leave(tenant);
        }
    }

    fn forget(&mut self, number: u64) -> Option<Waiting> {
        let Entry { waiting, .. } = self.waiting.remove(&number)?;
        if let Some(at) = waiting.latest_start {
            self.latest_starts.remove(&(at, number));
        }
        Some(waiting)
    }

    fn share(&self, tenant: &TenantId) -> u32 {
        self.shares.get(tenant).copied().unwrap_or(1)
    }
}

impl Tenant {
    fn lane(&mut self, priority: Priority) -> &mut Lane {
        let [low, normal, high, urgent] = &mut self.lanes;
        match priority {
            Priority::Low => low,
            Priority::Normal => normal,
            Priority::High => high,
            Priority::Urgent => urgent,
        }
    }

    fn join(&mut self, waiting: &Waiting) -> i64 {
        self.len += 1;
        self.turns.join(&waiting.priority, u64::MAX - u64::from(waiting.priority.weight()));
        let lane = self.lane(waiting.priority);
        if waiting.again { lane.push_front(waiting.number) } else { lane.push_back(waiting.number) }
    }

    fn leave(&mut self, priority: Priority, seat: i64) {
        self.len -= 1;
        let lane = self.lane(priority);
        lane.leave(seat);
        if lane.len() == 0 {
            self.turns.leave(&priority);
        }
    }

    fn pop(&mut self) -> Option<u64> {
        let priority = *self.turns.next()?;
        let lane = self.lane(priority);
        let number = lane.pop();
        let is_empty = lane.len() == 0;
        self.len -= usize::from(number.is_some());
        self.turns.charge(&priority, priority.weight());
        if is_empty {
            self.turns.leave(&priority);
        }
        number
    }

    fn ahead(&self, priority: Priority, seat: i64) -> usize {
        let lanes = || Priority::ALL.into_iter().zip(&self.lanes);
        let own = lanes().find(|(p, _)| *p == priority).map_or(0, |(_, lane)| lane.ahead(seat));
        let others = lanes().filter(|(p, _)| *p != priority);
        let before = others.map(|(p, lane)| meanwhile(own, priority.weight(), p.weight(), lane.len()));
        own + before.sum::<usize>()
    }
}

/// How many of the `len` that wait with a share of `other` start before one
/// that has `ahead` before it with a share of `own`.
fn meanwhile(ahead: usize, own: u32, other: u32, len: usize) -> usize {
    let turns = (ahead as u64 + 1).saturating_mul(other.into()) / u64::from(own.max(1));
    len.min(usize::try_from(turns).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
