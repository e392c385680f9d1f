//! Inferred sessions: to which session a message belongs that names none, by the gap before it (docs/decisions/0018). The rule:
//!
//! The timeline of a user is all their messages and the starts of all sessions that events named, by time; at one time starts
//! come first, by external id, and then messages in their order of arrival. A message that names no session joins the session of what is right before it in
//! the timeline, if that is at most the agent's idle time before and the session is not closed by then. Otherwise it opens
//! one, which it is the head of.
//!
//! Here new messages are put into sessions by what the batch alone tells (`gather`), so that they go in like all others.
//! `resessionize` then puts right what the rest of the timeline tells.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::apply::PendingMessage;
use super::chat_user::Profile;
use super::event::BY_RULE;
use super::resessionize::{self, TimeRange};
use super::session::Drafts;
use crate::clock::Timestamp;
use crate::db::{Transaction, TransactionError};
use crate::id::ObjectKind;

/// How long a user may be silent before a message that names no session opens one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle(i64);

impl Idle {
    /// Minutes, unless an agent has others.
    pub const DEFAULT_MINUTES: i64 = 30;
    /// Minutes at most.
    pub const MAX_MINUTES: i64 = 43_200;

    /// So many minutes.
    pub const fn minutes(minutes: i64) -> Self {
        Self(minutes.saturating_mul(60_000_000))
    }

    /// Whether a silence is short enough to go on in the same session.
    pub const fn bridges(self, from: Timestamp, to: Timestamp) -> bool {
        to.0.saturating_sub(from.0) <= self.0
    }
}

impl Default for Idle {
    fn default() -> Self {
        Self::minutes(Self::DEFAULT_MINUTES)
    }
}

/// The external id of the session whose head is this message.
pub(super) fn headed_by(message: Uuid) -> String {
    format!("{BY_RULE}{}", ObjectKind::Message.encode(message))
}

/// Opens sessions for the new messages that name none, as if the batch were all there is.
pub(super) fn gather(
    sessions: &mut Drafts<'_>,
    users: &Profile<'_>,
    said: &mut [PendingMessage<'_, '_>],
    recorded: &[bool],
) {
    let mut loose: Vec<_> = said
        .iter_mut()
        .zip(recorded)
        .filter_map(|(one, recorded)| (*recorded && one.draft.by_rule).then_some(one))
        .collect();
    // Those of one time stay in their order.
    loose.sort_by_key(|one| (one.user, one.draft.message.sent_at));
    let mut last: Option<(usize, Timestamp, usize)> = None;
    for one in loose {
        let (user, at) = (one.user, one.draft.message.sent_at);
        let goes_on = last.filter(|(of, before, _)| *of == user && one.idle.bridges(*before, at));
        let session = goes_on.map_or_else(
            || {
                let (agent, platform) = (users.agent(user), users.platform(user));
                sessions.open(user, agent, platform, headed_by(one.draft.id), at)
            },
            |(_, _, session)| session,
        );
        one.session = Some(session);
        last = Some((user, at, session));
    }
}

/// Users of a batch whose timelines are to be settled once the batch is stored.
pub(super) struct Unsettled {
    /// The stretch that changed of each.
    stretches: BTreeMap<Uuid, TimeRange>,
    /// Sessions that were open and are closed: all that was said in them afterwards has changed as well.
    closed: Vec<Uuid>,
}

impl Unsettled {
    /// Only those who have messages that name no session. `new` are the messages that go in.
    pub(super) fn of(
        users: &Profile<'_>,
        sessions: &Drafts<'_>,
        new: &[&PendingMessage<'_, '_>],
    ) -> Self {
        let loose = new.iter().filter(|one| one.draft.by_rule);
        let loose: HashSet<usize> = loose.map(|one| one.user).collect();
        let has_rule = |user: usize| loose.contains(&user) || users.has_rule(user);
        let times = new.iter().map(|one| (one.user, one.draft.message.sent_at));
        let mut stretches: BTreeMap<Uuid, TimeRange> = BTreeMap::new();
        for (user, at) in times.chain(sessions.moved_times()) {
            if has_rule(user) {
                let stretch = stretches.entry(users.id(user)).or_insert(TimeRange::of(at));
                *stretch = stretch.with(at);
            }
        }
        let closed = sessions.closed().into_iter();
        let closed = closed.filter_map(|(user, session)| has_rule(user).then_some(session));
        Self {
            stretches,
            closed: closed.collect(),
        }
    }

    /// Puts the messages concerned into the sessions that they belong to.
    pub(super) async fn settle(
        mut self,
        transaction: &Transaction,
    ) -> Result<(), TransactionError> {
        if !self.closed.is_empty() {
            for (user, at) in resessionize::ends(transaction, &self.closed).await? {
                self.stretches
                    .entry(user)
                    .and_modify(|stretch| *stretch = stretch.with(at));
            }
        }
        resessionize::stretches(transaction, &self.stretches).await
    }
}

#[cfg(test)]
mod tests {
    use super::Idle;
    use crate::clock::Timestamp;

    #[test]
    fn a_silence_as_long_as_the_idle_time_ends_nothing() {
        let minute = Idle::minutes(1);
        let goes_on = |to| minute.bridges(Timestamp(0), Timestamp(to));
        assert_eq!(
            [goes_on(0), goes_on(60_000_000), goes_on(60_000_001)],
            [true, true, false]
        );
        assert!(!minute.bridges(Timestamp(i64::MIN), Timestamp(i64::MAX)));
    }
}
