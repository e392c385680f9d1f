//! The made-up audience: users with their sessions and messages, as events, one after the other and out of thin air.
//!
//! The same [`Size`] is the same audience on every machine: nothing here reads a clock, a hash map's order or a floating
//! point number. Nothing is kept either, but for the user who is talking, so that a million of them cost no more memory than one.

mod chance;
mod names;
mod person;
mod talk;
mod timeline;

use chance::Chance;
use timeline::Timeline;

use crate::write::event::Event;

/// How large an audience, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Users. Each appears by what was said, so there are never more of them than messages.
    pub users: u64,
    /// Messages; none when there are no users.
    pub messages: u64,
    /// Sessions, of which everyone has one at least; a third of the messages at most. As many as come of themselves when there is none.
    pub sessions: Option<u64>,
    /// Another seed is another audience.
    pub seed: u64,
}

impl Size {
    /// Enough to look around in, and made in a moment.
    pub const DEFAULT: Self = Self {
        users: 500,
        messages: 20_000,
        sessions: None,
        seed: 1,
    };
}

impl Default for Size {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The stream of chance that shares the messages out; users have those after it.
const SHARES: u64 = 0;

/// A made-up audience: its events, user by user, each user's in the order of their time.
#[derive(Clone, Debug)]
pub struct Audience {
    size: Size,
    /// Marks the ids of this audience, so that another one can be put beside it.
    mark: u32,
    shares: Shares,
    /// How the sessions are shared out, when their number was asked for.
    sittings: Option<Sittings>,
    /// The number of the next user.
    next: u64,
    /// Messages that have not been said yet.
    left: u64,
    talking: Option<Timeline>,
}

impl Audience {
    /// The audience of this size. Takes a moment for each million users: what everyone gets depends on all.
    pub fn new(size: Size) -> Self {
        let messages = if size.users == 0 { 0 } else { size.messages };
        let users = size.users.min(messages);
        let most = users + (messages - users) / LONG_WINDED;
        let size = Size {
            users,
            messages,
            sessions: size.sessions.map(|sessions| sessions.clamp(users, most)),
            ..size
        };
        let shares = Shares::new(size);
        Self {
            size,
            mark: mark(size),
            sittings: size
                .sessions
                .map(|sessions| Sittings::new(size, sessions, &shares)),
            shares,
            next: 0,
            left: messages,
            talking: None,
        }
    }

    /// Brings the next user in, if there is one.
    fn meet(&mut self) -> Option<&mut Timeline> {
        if self.next == self.size.users {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let mut share = self.shares.deal(number);
        if let Some(sittings) = &mut self.sittings {
            share.sessions = Some(sittings.deal(number, share.messages));
        }
        let chance = Chance::new(self.size.seed, SHARES + 1 + number);
        Some(self.talking.insert(Timeline::new(
            chance,
            self.mark,
            number,
            self.size.users,
            share,
        )))
    }
}

impl Iterator for Audience {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let event = match self.talking.as_mut().and_then(Timeline::next) {
            Some(event) => Some(event),
            None => self.meet()?.next(),
        };
        self.left -= 1;
        event
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left);
        (left.unwrap_or(usize::MAX), left.ok())
    }
}

/// A number that another size or seed does not have, most likely.
fn mark(size: Size) -> u32 {
    let mut chance = Chance::new(size.seed, size.users);
    let sessions = size.sessions.map_or(0, |sessions| sessions.rotate_left(32));
    let bits = chance.any() ^ chance::scatter(size.messages ^ sessions, 64);
    u32::try_from(bits >> 32).unwrap_or_default()
}

/// How a user uses the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// All the time, in short sessions: more than a thousand of them.
    Daily,
    /// Now and then.
    Casual,
    /// Not at all: the agent has greeted, and nobody has answered.
    Silent,
}

/// What a user gets of the messages.
#[derive(Clone, Copy, Debug)]
struct Share {
    habit: Habit,
    messages: u64,
    /// In how many sessions; as it comes when there is none.
    sessions: Option<u64>,
}

/// Silent users, in a hundred.
const SILENT: u64 = 3;
/// A daily user says no more than this, however many messages there are.
const DAILY_AT_MOST: u64 = 13_000;
/// A daily user says no less: it makes a thousand sessions.
const DAILY_AT_LEAST: u64 = 2_300;
/// Casual users have this weight divided by a number up to [`RANKS`]: most have little, and one in a hundred has plenty.
const HEAVIEST: u64 = 4_096;
const RANKS: u64 = 512;
/// The weight of a silent user.
const LIGHTEST: u64 = 4;

/// Shares the messages out, one user at a time, so that they come out even: everyone gets one, daily users get theirs,
/// and the rest goes by weight. The weights are drawn twice from one stream: once to add them up, once to deal.
#[derive(Clone, Debug)]
struct Shares {
    draws: Chance,
    /// Messages that go by weight.
    spread: u64,
    /// The weights of all, and of those dealt to so far.
    total: u64,
    dealt: u64,
    /// Daily users, how far they are apart, and what the first of them gets.
    daily: u64,
    apart: u64,
    most: u64,
}

impl Shares {
    fn new(size: Size) -> Self {
        let daily = daily_users(size);
        let mut shares = Self {
            draws: Chance::new(size.seed, SHARES),
            spread: 0,
            total: 0,
            dealt: 0,
            daily,
            apart: size.users.checked_div(daily).unwrap_or(0),
            most: (size.messages / 5 * 2)
                .checked_div(daily)
                .unwrap_or(0)
                .min(DAILY_AT_MOST),
        };
        let beyond_one: u64 = (0..daily).map(|rank| shares.daily_messages(rank) - 1).sum();
        shares.spread = size.messages - size.users - beyond_one;
        let mut draws = shares.draws.clone();
        shares.total = (0..size.users)
            .map(|number| shares.habit(number, draws.any()).1)
            .sum();
        shares
    }

    /// The share of the user of this number; to be asked in their order.
    fn deal(&mut self, number: u64) -> Share {
        let draw = self.draws.any();
        let (habit, weight) = self.habit(number, draw);
        let before = self.up_to(self.dealt);
        self.dealt += weight;
        let messages = match self.rank(number) {
            Some(rank) => self.daily_messages(rank),
            None => 1 + self.up_to(self.dealt) - before,
        };
        Share {
            habit,
            messages,
            sessions: None,
        }
    }

    /// How many of the spread messages belong to the first users, of this weight together.
    fn up_to(&self, weight: u64) -> u64 {
        let part = u128::from(self.spread) * u128::from(weight) / u128::from(self.total.max(1));
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// The habit of a user, with the weight it gives.
    fn habit(&self, number: u64, draw: u64) -> (Habit, u64) {
        if self.rank(number).is_some() {
            (Habit::Daily, 0)
        } else if draw % 100 < SILENT {
            (Habit::Silent, LIGHTEST)
        } else {
            (Habit::Casual, HEAVIEST / (1 + (draw >> 32) % RANKS))
        }
    }

    /// Which of the daily users this is, if one: they stand evenly among the others.
    fn rank(&self, number: u64) -> Option<u64> {
        let rank = number.checked_div(self.apart)?;
        (rank < self.daily && number % self.apart == self.apart / 2).then_some(rank)
    }

    /// What a daily user says; not quite the same for all.
    const fn daily_messages(&self, rank: u64) -> u64 {
        self.most / 100 * (100 - 6 * (rank % 3))
    }
}

/// How many daily users there are: three, where there are messages enough to share, and more in a large audience.
fn daily_users(size: Size) -> u64 {
    if size.messages / 10 < size.users {
        return 0;
    }
    let affordable = size.messages / 5 * 2 / DAILY_AT_LEAST;
    (3 + size.messages / 100_000)
        .min(affordable)
        .min(size.users / 10)
}

/// One user in so many has sessions that are so many times as long as those of others.
const LONG_WINDED_AMONG: u64 = 4;
const LONG_WINDED: u64 = 3;

/// Shares an exact number of sessions out, by what everyone says.
#[derive(Clone, Debug)]
struct Sittings {
    /// Sessions beyond the first of everyone.
    spread: u64,
    /// The weights of all, and of those dealt to so far.
    total: u64,
    dealt: u64,
}

impl Sittings {
    fn new(size: Size, sessions: u64, shares: &Shares) -> Self {
        let mut shares = shares.clone();
        let total =
            (0..size.users).map(|number| Self::weight(number, shares.deal(number).messages));
        Self {
            spread: sessions - size.users,
            total: total.sum(),
            dealt: 0,
        }
    }

    /// The sessions of the user of this number, who says this much; to be asked in their order. Never more than messages:
    /// `spread` is at most a third of the messages beyond everyone's first, and no weight more than three times those.
    fn deal(&mut self, number: u64, messages: u64) -> u64 {
        let before = self.up_to(self.dealt);
        self.dealt += Self::weight(number, messages);
        1 + self.up_to(self.dealt) - before
    }

    const fn weight(number: u64, messages: u64) -> u64 {
        let beyond_one = messages - 1;
        if number.is_multiple_of(LONG_WINDED_AMONG) {
            beyond_one
        } else {
            beyond_one * LONG_WINDED
        }
    }

    fn up_to(&self, weight: u64) -> u64 {
        let part = u128::from(self.spread) * u128::from(weight) / u128::from(self.total.max(1));
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use sha2::{Digest, Sha256};

    use super::timeline::{END, LONG, SPAN};
    use super::{Audience, Size};
    use crate::entity::role::MessageRole;
    use crate::write::event::Event;

    const SMALL: Size = Size {
        users: 300,
        messages: 1_000,
        sessions: None,
        seed: 7,
    };

    fn fingerprint(size: Size) -> String {
        let mut hash = Sha256::new();
        for event in Audience::new(size).take(2_000) {
            let name = event.user.name.unwrap_or_default();
            let message = event.message.unwrap();
            for part in [
                &event.user.platform_id,
                &name,
                &event.session.external_id.unwrap_or_default(),
                &message.text,
            ] {
                hash.update(part);
                hash.update([0]);
            }
            hash.update(message.sent_at.0.to_be_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        format!(
            "{:08x}",
            u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
        )
    }

    /// What makes a user the user.
    fn key(event: &Event) -> (String, String, String) {
        let platform = format!("{:?}", event.user.platform);
        (
            event.agent.external_id.clone(),
            platform,
            event.user.platform_id.clone(),
        )
    }

    /// Users, messages, and whether the iterator told their number beforehand.
    fn count(users: u64, messages: u64) -> (usize, usize, bool) {
        let audience = Audience::new(Size {
            users,
            messages,
            sessions: None,
            seed: 3,
        });
        let hint = audience.size_hint();
        let events: Vec<_> = audience.collect();
        let users: BTreeSet<_> = events.iter().map(key).collect();
        (
            users.len(),
            events.len(),
            hint == (events.len(), Some(events.len())),
        )
    }

    #[test]
    fn a_size_is_one_audience_and_a_seed_another() {
        assert_eq!(fingerprint(Size::DEFAULT), "019a7a23");
        assert!(Audience::new(SMALL).eq(Audience::new(SMALL)));
        assert_ne!(fingerprint(SMALL), fingerprint(Size { seed: 8, ..SMALL }));
    }

    #[test]
    fn users_and_messages_are_exactly_as_many_as_asked_for() {
        for (users, messages) in [
            (500, 20_000),
            (1_000, 1_000),
            (999, 1_234),
            (300, 3_000),
            (1, 1),
            (1, 5_000),
            (7, 30_000),
        ] {
            let expected = (
                usize::try_from(users).unwrap(),
                usize::try_from(messages).unwrap(),
                true,
            );
            assert_eq!(
                count(users, messages),
                expected,
                "{users} users, {messages} messages"
            );
        }
    }

    #[test]
    fn sessions_are_exactly_as_many_as_asked_for() {
        for (users, messages, asked, expected) in [
            (500, 20_000, 2_500, 2_500),
            (500, 20_000, 0, 500),
            (500, 20_000, 1_000_000, 500 + 19_500 / 3),
            (300, 1_000, 400, 400),
            (1, 5_000, 100, 100),
        ] {
            let size = Size {
                users,
                messages,
                sessions: Some(asked),
                seed: 3,
            };
            let mut sessions: BTreeMap<_, u64> = BTreeMap::new();
            for event in Audience::new(size) {
                assert_eq!(event.validate(), Ok(()), "{event:?}");
                *sessions
                    .entry((key(&event), event.session.external_id))
                    .or_default() += 1;
            }
            assert_eq!(sessions.len(), expected, "{size:?}");
            assert_eq!(sessions.values().sum::<u64>(), messages, "{size:?}");
        }
    }

    #[test]
    fn without_messages_enough_there_are_fewer_users() {
        assert_eq!(count(50, 20), (20, 20, true));
        assert_eq!(count(0, 20), (0, 0, true));
        assert_eq!(count(20, 0), (0, 0, true));
    }

    #[test]
    fn no_two_users_of_a_large_audience_share_an_id() {
        let (users, messages) = (20_000, 20_000);
        let mut ids = BTreeSet::new();
        assert!(
            Audience::new(Size {
                users,
                messages,
                sessions: None,
                seed: 5
            })
            .all(|event| ids.insert(key(&event)))
        );
    }

    #[test]
    fn every_event_can_be_stored() {
        let mut ids = BTreeSet::new();
        for event in Audience::new(Size::DEFAULT) {
            assert_eq!(event.validate(), Ok(()), "{event:?}");
            let id = (key(&event), event.message.unwrap().external_id);
            assert!(ids.insert(id.clone()), "{id:?}");
        }
    }

    #[test]
    fn everything_happens_in_order_and_within_two_years() {
        for size in [
            Size::DEFAULT,
            Size {
                users: 2,
                messages: 50_000,
                sessions: None,
                seed: 1,
            },
        ] {
            let mut before = BTreeMap::new();
            for event in Audience::new(size) {
                let now = event.message.as_ref().unwrap().sent_at;
                assert!(
                    (END - SPAN..=END).contains(&now.0) && event.earliest().0 >= END - SPAN,
                    "{event:?}"
                );
                assert!(
                    event.started_at() <= now
                        && event
                            .session
                            .ended_at
                            .is_none_or(|end| end >= now && end.0 <= END),
                    "{event:?}"
                );
                let last = before.insert(key(&event), event.earliest().max(now));
                assert!(
                    last.is_none_or(|last| last <= event.earliest()),
                    "{event:?}"
                );
            }
        }
    }

    #[test]
    fn the_default_audience_has_something_of_everything() {
        let (mut platforms, mut names) = (BTreeSet::new(), Vec::new());
        let (mut sessions, mut agents): (BTreeMap<_, BTreeMap<_, u64>>, BTreeMap<_, BTreeSet<_>>) =
            Default::default();
        let (mut heard, mut instants) = (BTreeSet::new(), BTreeMap::new());
        let (mut long, mut wordless, mut costs) = (0, 0, 0);
        for event in Audience::new(Size::DEFAULT) {
            let user = key(&event);
            let message = event.message.unwrap();
            platforms.insert(event.user.platform);
            agents
                .entry(user.0.clone())
                .or_default()
                .insert(user.clone());
            *sessions
                .entry(user.clone())
                .or_default()
                .entry(event.session.external_id.unwrap())
                .or_default() += 1;
            *instants.entry((user.clone(), message.sent_at)).or_insert(0) += 1;
            names.extend(event.user.name);
            if message.role == MessageRole::User {
                heard.insert(user);
            }
            long += i32::from(message.text.chars().count() >= LONG);
            wordless += i32::from(message.text.is_empty() && !message.attachments.is_empty());
            costs += i32::from(message.cost_micros.is_some());
        }
        assert_eq!(platforms.len(), 22);
        assert_eq!(agents.len(), 12);
        assert!(agents.values().any(|users| users.len() >= 500 / 4));
        assert!(
            sessions
                .values()
                .filter(|sessions| sessions.len() >= 1_000)
                .count()
                >= 2
        );
        assert!(
            sessions
                .values()
                .flat_map(BTreeMap::values)
                .any(|messages| *messages >= 5)
        );
        assert!((400..450).contains(&names.len()), "{} names", names.len());
        assert!(
            names
                .iter()
                .filter(|name| name.to_lowercase().contains("an"))
                .count()
                >= 20
        );
        assert!(
            (5..30).contains(&(500 - heard.len())),
            "{} silent users",
            500 - heard.len()
        );
        assert!(
            long > 10 && wordless > 50 && costs > 5_000,
            "{long} long, {wordless} wordless, {costs} with a cost"
        );
        assert!(instants.values().any(|messages| *messages > 1));
    }

    #[test]
    fn a_user_does_not_depend_on_how_many_follow() {
        let first = |users| {
            Audience::new(Size {
                users,
                messages: users * 3,
                sessions: None,
                seed: 1,
            })
            .next()
            .map(|event| event.user)
        };
        assert_eq!(first(10), first(1_000));
    }
}
