//! The order in which waiting executions run.
//!
//! Every tenant has a lane for each priority. Tenants take turns by their shares, and
//! within a tenant the priorities take turns by theirs: neither a busy tenant nor urgent
//! work makes the others wait for ever. Within a lane the first execution to join runs first. A
//! waiting execution takes some 150 bytes, and no operation looks at more than a few.

mod lane;
mod stride;

use lane::Lane;
use pilum_types::{Priority, TenantId};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};
use stride::StrideTurns;

/// An execution that waits.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// The store's number of it.
    pub(crate) number: u64,
    pub(crate) tenant: TenantId,
    pub(crate) priority: Priority,
    /// It may not start before this time.
    pub(crate) not_before: Option<SystemTime>,
    /// After this time it can no longer end before its deadline.
    pub(crate) latest_start: Option<SystemTime>,
    /// Whether it joins the front of its lane: a retry does, since it has had its turn before.
    pub(crate) to_front: bool,
    /// Whether it is a poison execution. Those run one at a time, so that a process that one
    /// of them kills does not count against another.
    pub(crate) poison: bool,
}

/// The waiting executions.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: HashMap<u64, Entry>,
    tenants: HashMap<TenantId, Tenant>,
    turns: StrideTurns<TenantId>,
    poison: Lane,
    /// Executions that may not run yet, by the time from which they may.
    delayed: BTreeSet<(SystemTime, u64)>,
    /// Executions with a latest start, by that time.
    latest_starts: BTreeSet<(SystemTime, u64)>,
    /// The tenants' shares, if they are not 1.
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
    Poison(i64),
}

#[derive(Debug, Default)]
struct Tenant {
    lanes: [Lane; Priority::ALL.len()],
    turns: StrideTurns<Priority>,
    len: usize,
}

impl Queue {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Sets a tenant's share of the starts.
    #[cfg(test)]
    pub(crate) fn set_share(&mut self, tenant: TenantId, share: u32) {
        self.shares.insert(tenant, share);
    }

    /// Adds an execution.
    pub(crate) fn push(&mut self, waiting: Waiting, now: SystemTime) {
        if let Some(at) = waiting.latest_start {
            self.latest_starts.insert((at, waiting.number));
        }
        let place = match waiting.not_before.filter(|at| *at > now) {
            Some(at) => {
                self.delayed.insert((at, waiting.number));
                Place::Delayed(at)
            }
            None => self.join_lane(&waiting),
        };
        self.waiting.insert(waiting.number, Entry { waiting, place });
    }

    /// Takes out the execution that runs next; a poison execution only if `may_run_poison`.
    pub(crate) fn pop(&mut self, now: SystemTime, may_run_poison: bool) -> Option<Waiting> {
        self.move_due(now);
        let number = match self.poison.len() {
            1.. if may_run_poison => self.poison.pop()?,
            _ => self.pop_lane()?,
        };
        self.take_entry(number)
    }

    /// Takes out an execution, wherever it waits.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Waiting> {
        let entry = self.waiting.get(&number)?;
        let (place, tenant, priority) = (entry.place, entry.waiting.tenant.clone(), entry.waiting.priority);
        match place {
            Place::Delayed(at) => {
                self.delayed.remove(&(at, number));
            }
            Place::Poison(index) => self.poison.remove(index),
            Place::Lane(index) => {
                if let Some(of_tenant) = self.tenants.get_mut(&tenant) {
                    of_tenant.remove(priority, index);
                }
                self.drop_empty(&tenant);
            }
        }
        self.take_entry(number)
    }

    /// Takes out an execution that can no longer end before its deadline.
    pub(crate) fn pop_late(&mut self, now: SystemTime) -> Option<Waiting> {
        let (at, number) = *self.latest_starts.first()?;
        if at < now { self.remove(number) } else { None }
    }

    /// Whether [`pop`](Self::pop) would return an execution.
    pub(crate) fn has_next(&self, now: SystemTime, may_run_poison: bool) -> bool {
        let delayed = self.delayed.first().is_some_and(|(at, _)| *at <= now);
        self.turns.next().is_some() || (may_run_poison && self.poison.len() > 0) || delayed
    }

    /// Whether [`pop_late`](Self::pop_late) would return an execution.
    pub(crate) fn has_late(&self, now: SystemTime) -> bool {
        self.latest_starts.first().is_some_and(|(at, _)| *at < now)
    }

    /// When there is something to do again, if nothing can be popped now.
    pub(crate) fn next_due(&self, now: SystemTime) -> Option<SystemTime> {
        // An execution that is due already waits for room, not for a time.
        let delayed = self.delayed.range((now, u64::MAX)..).next().map(|(at, _)| *at);
        // An execution may still start at its latest start itself.
        let late = self.latest_starts.first().and_then(|(at, _)| at.checked_add(Duration::from_nanos(1)));
        delayed.into_iter().chain(late).min()
    }

    /// The place of an execution among those that wait, from 1; an estimate. `None` if it
    /// does not wait, or may not run yet.
    pub(crate) fn position(&self, number: u64) -> Option<usize> {
        self.count_before(number).map(|before| before + 1)
    }

    /// About how many executions start before this one.
    fn count_before(&self, number: u64) -> Option<usize> {
        let Entry { waiting, place } = self.waiting.get(&number)?;
        match *place {
            Place::Delayed(_) => None,
            Place::Poison(index) => Some(self.poison.count_before(index)),
            Place::Lane(index) => {
                let of_tenant = self.tenants.get(&waiting.tenant)?;
                let in_tenant = of_tenant.count_before(waiting.priority, index);
                let own = self.share(&waiting.tenant);
                let others = self.tenants.iter().filter(|(tenant, _)| **tenant != waiting.tenant);
                let before = others
                    .map(|(tenant, other)| starts_meanwhile(in_tenant, own, self.share(tenant), other.len));
                Some(in_tenant + before.sum::<usize>())
            }
        }
    }

    fn pop_lane(&mut self) -> Option<u64> {
        let tenant = self.turns.next()?.clone();
        let share = self.share(&tenant);
        let number = self.tenants.get_mut(&tenant)?.pop();
        self.turns.charge(&tenant, share);
        self.drop_empty(&tenant);
        number
    }

    /// Moves delayed executions that may run now into their lanes.
    fn move_due(&mut self, now: SystemTime) {
        while let Some(&(at, number)) = self.delayed.first() {
            if at > now {
                break;
            }
            self.delayed.pop_first();
            let Some(waiting) = self.waiting.get(&number).map(|entry| entry.waiting.clone()) else {
                continue;
            };
            let place = self.join_lane(&waiting);
            if let Some(entry) = self.waiting.get_mut(&number) {
                entry.place = place;
            }
        }
    }

    fn join_lane(&mut self, waiting: &Waiting) -> Place {
        if waiting.poison {
            return Place::Poison(self.poison.push_back(waiting.number));
        }
        // Of new tenants, the one whose execution came first has the first turn.
        self.turns.join(&waiting.tenant, waiting.number);
        let of_tenant = self.tenants.entry(waiting.tenant.clone()).or_default();
        Place::Lane(of_tenant.join(waiting))
    }

    fn drop_empty(&mut self, tenant: &TenantId) {
        if self.tenants.get(tenant).is_some_and(|of_tenant| of_tenant.len == 0) {
            self.tenants.remove(tenant);
            self.turns.leave(tenant);
        }
    }

    fn take_entry(&mut self, number: u64) -> Option<Waiting> {
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
        if waiting.to_front { lane.push_front(waiting.number) } else { lane.push_back(waiting.number) }
    }

    fn remove(&mut self, priority: Priority, index: i64) {
        self.len -= 1;
        let lane = self.lane(priority);
        lane.remove(index);
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

    fn count_before(&self, priority: Priority, index: i64) -> usize {
        let lanes = || Priority::ALL.into_iter().zip(&self.lanes);
        let own = lanes().find(|(p, _)| *p == priority).map_or(0, |(_, lane)| lane.count_before(index));
        let others = lanes().filter(|(p, _)| *p != priority);
        let before = others.map(|(p, lane)| starts_meanwhile(own, priority.weight(), p.weight(), lane.len()));
        own + before.sum::<usize>()
    }
}

/// How many of `len` executions with a share of `other` start before an execution with a
/// share of `own` that has `before` executions of its own lane or tenant before it.
fn starts_meanwhile(before: usize, own: u32, other: u32, len: usize) -> usize {
    let turns = (before as u64 + 1).saturating_mul(other.into()) / u64::from(own.max(1));
    len.min(usize::try_from(turns).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
