//! What happens to a user, in the order of time: sessions, and in each of them who says what, and when.

use super::chance::Chance;
use super::person::{Person, stranger};
use super::talk::{EMOJI, NOTICES, Talk, Topic};
use super::{Habit, Share};
use crate::clock::Timestamp;
use crate::entity::role::MessageRole;
use crate::write::event::{
    AgentPart, AttachmentPart, Event, MessagePart, Sentiment, SessionPart, UserPart,
};

/// 2026-06-30T00:00:00Z in microseconds: the end of all that happens here. Fixed, so that the same audience is the same next year.
pub(super) const END: i64 = 1_782_777_600_000_000;
const MILLISECOND: i64 = 1_000;
const SECOND: i64 = 1_000 * MILLISECOND;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// How far back it goes.
pub(super) const SPAN: i64 = 730 * DAY;

/// Lengths of sessions in messages, up to, with how many in a hundred have them.
const CASUAL_LENGTHS: &[(u64, u32)] = &[
    (1, 4),
    (2, 14),
    (3, 14),
    (4, 18),
    (5, 14),
    (6, 12),
    (8, 13),
    (12, 8),
    (30, 3),
];
const DAILY_LENGTHS: &[(u64, u32)] = &[(2, 93), (3, 5), (4, 2)];
const SILENT_LENGTHS: &[(u64, u32)] = &[(1, 85), (2, 15)];

/// Tags of sessions.
const TAGS: &[&str] = &[
    "complaint",
    "escalated",
    "feedback",
    "follow-up",
    "night-shift",
    "sales",
];

/// What comes with a message: kind, media type, ending, and the most bytes of it.
const ATTACHMENTS: &[(&str, &str, &str, i64)] = &[
    ("image", "image/jpeg", "jpg", 4_000_000),
    ("image", "image/png", "png", 2_500_000),
    ("audio", "audio/ogg", "ogg", 600_000),
    ("video", "video/mp4", "mp4", 16_000_000),
    ("file", "application/pdf", "pdf", 900_000),
    ("sticker", "image/webp", "webp", 60_000),
];

/// Long messages have at least this many characters.
pub(super) const LONG: usize = 1_000;

/// A user's time with an agent.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    chance: Chance,
    mark: u32,
    number: u64,
    habit: Habit,
    person: Person,
    /// Messages that are still to be said.
    left: u64,
    /// Sessions so far, and how many there will be, if that is settled.
    sessions: u64,
    of: Option<u64>,
    /// Now, and when the last session should begin, about.
    now: i64,
    last: i64,
    session: Option<Session>,
}

/// A session under way.
#[derive(Clone, Debug)]
struct Session {
    external_id: String,
    /// What the next event says of the session besides its id.
    news: SessionPart,
    topic: &'static Topic,
    /// The order, invoice, … of which they speak.
    matter: u64,
    /// Messages said, and messages to be said.
    said: u64,
    left: u64,
    before: Option<Turn>,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Greeting,
    Question,
    Answer,
    Aside,
    Reply,
    Thanks,
    Farewell,
    Notice,
}

impl Turn {
    const fn role(self) -> MessageRole {
        match self {
            Self::Greeting | Self::Answer | Self::Reply | Self::Farewell => MessageRole::Agent,
            Self::Question | Self::Aside | Self::Thanks => MessageRole::User,
            Self::Notice => MessageRole::System,
        }
    }
}

impl Timeline {
    /// The user of this number among so many, who is about to say this much.
    pub(super) fn new(mut chance: Chance, mark: u32, number: u64, of: u64, share: Share) -> Self {
        let person = Person::new(&mut chance, number, share.habit);
        let (first, last) = lifetime(&mut chance, share.habit, (number, of));
        Self {
            chance,
            mark,
            number,
            habit: share.habit,
            person,
            left: share.messages,
            sessions: 0,
            of: share.sessions,
            now: first,
            last,
            session: None,
        }
    }

    /// The next that happens; nothing when all is said.
    pub(super) fn next(&mut self) -> Option<Event> {
        if self.left == 0 {
            return None;
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin(),
        };
        let turn = self.turn(&session);
        let asked_at = self.now;
        self.wait(&session, turn);
        let message = self.message(&mut session, turn, asked_at);
        self.left -= 1;
        session.left -= 1;
        session.said += 1;
        session.before = Some(turn);
        if session.left == 0 {
            self.close(&mut session);
        }
        let event = Event {
            agent: self.agent_part(),
            user: self.user_part(),
            session: SessionPart {
                external_id: Some(session.external_id.clone()),
                ..std::mem::take(&mut session.news)
            },
            message: Some(message),
        };
        self.session = (session.left > 0).then_some(session);
        Some(event)
    }

    /// The agent: in full once, by its id from then on.
    fn agent_part(&mut self) -> AgentPart {
        let rest = AgentPart {
            external_id: self.person.agent.external_id.clone(),
            ..AgentPart::default()
        };
        std::mem::replace(&mut self.person.agent, rest)
    }

    /// The user: in full once, by the platform's id from then on.
    fn user_part(&mut self) -> UserPart {
        let rest = stranger(
            self.person.user.platform,
            self.person.user.platform_id.clone(),
        );
        std::mem::replace(&mut self.person.user, rest)
    }

    /// A new session, after a pause.
    fn begin(&mut self) -> Session {
        if self.sessions > 0 {
            self.pause();
        }
        self.sessions += 1;
        let topic = self.chance.pick(self.person.people.talk.topics);
        let news = SessionPart {
            started_at: self.chance.per_mille(900).then_some(Timestamp(self.now)),
            subject: (self.habit != Habit::Silent && self.chance.per_mille(400))
                .then(|| topic.subject.to_owned()),
            language: self
                .chance
                .per_mille(600)
                .then(|| self.person.language.to_owned()),
            tags: self
                .chance
                .per_mille(120)
                .then(|| vec![self.chance.word(TAGS).to_owned()]),
            ..SessionPart::default()
        };
        Session {
            external_id: format!("{:08x}-{}-{}", self.mark, self.number + 1, self.sessions),
            news,
            topic,
            matter: 10_000 + self.chance.below(90_000),
            said: 0,
            left: self.length().min(self.left),
            before: None,
        }
    }

    /// How long a session will be.
    fn length(&mut self) -> u64 {
        if let Some(of) = self.of {
            return self.share_of(of - self.sessions + 1);
        }
        let lengths = match self.habit {
            Habit::Daily => DAILY_LENGTHS,
            Habit::Casual => CASUAL_LENGTHS,
            Habit::Silent => SILENT_LENGTHS,
        };
        let most = self.chance.weigh(lengths, |(_, weight)| *weight).0;
        // The long ones are given as "up to".
        if most > 6 {
            most - self.chance.below(most / 3)
        } else {
            most
        }
    }

    /// How long a session will be when so many, with this one, share what is left: about as long as the others.
    fn share_of(&mut self, sessions: u64) -> u64 {
        if sessions == 1 {
            return self.left;
        }
        let mean = self.left / sessions;
        let length = mean - mean / 5 + self.chance.below(mean / 5 * 2 + 1);
        length.clamp(1, self.left - (sessions - 1))
    }

    /// Time between two sessions: what is left until the last one, shared among those still to come.
    fn pause(&mut self) {
        let usual = match self.habit {
            Habit::Daily | Habit::Silent => 2,
            Habit::Casual => 5,
        };
        let to_come = i64::try_from(self.left / usual).unwrap_or(i64::MAX - 2) + 2;
        let longest = (self.last - self.now).max(0) / to_come * 2;
        let pause = self.chance.between(0, longest).max(15 * MINUTE);
        self.pass(pause);
    }

    /// Time before a message: agents are quick, people think, and some leave for hours and come back.
    fn wait(&mut self, session: &Session, turn: Turn) {
        let chance = &mut self.chance;
        let again = session
            .before
            .is_some_and(|before| before.role() == turn.role());
        let wait = match turn.role() {
            // Two bubbles that were sent as one.
            MessageRole::Agent if again && chance.per_mille(500) => 0,
            MessageRole::System if chance.per_mille(500) => 0,
            MessageRole::Agent | MessageRole::System => chance.between(300, 6_000),
            MessageRole::User if session.before.is_none() => chance.between(0, 4_000),
            MessageRole::User if chance.per_mille(25) => chance.between(600_000, 4 * 3_600_000),
            MessageRole::User => chance.between(3_000, 90_000),
        };
        self.pass(wait * MILLISECOND);
    }

    /// Lets time pass, but never so much that the messages still to be said would come after [`END`].
    fn pass(&mut self, time: i64) {
        let messages = i64::try_from(self.left).unwrap_or(i64::MAX).max(1);
        let time = time.min((END - self.now) / messages);
        // No platform tells time finer than this.
        self.now += time - time % MILLISECOND;
    }

    /// What comes next in a session.
    fn turn(&mut self, session: &Session) -> Turn {
        if self.habit == Habit::Silent {
            return Turn::Greeting;
        }
        let chance = &mut self.chance;
        let Some(before) = session.before else {
            let greeted = session.left > 2 && chance.per_mille(350);
            return if greeted {
                Turn::Greeting
            } else {
                Turn::Question
            };
        };
        match before {
            Turn::Greeting | Turn::Farewell => Turn::Question,
            Turn::Thanks => Turn::Farewell,
            Turn::Question | Turn::Aside if chance.per_mille(25) => Turn::Notice,
            Turn::Question | Turn::Aside if chance.per_mille(40) => Turn::Aside,
            Turn::Question => Turn::Answer,
            Turn::Aside | Turn::Notice => Turn::Reply,
            Turn::Answer | Turn::Reply if session.left <= 2 && chance.per_mille(700) => {
                Turn::Thanks
            }
            Turn::Answer | Turn::Reply => match chance.below(100) {
                0..10 => Turn::Reply,
                10..55 => Turn::Aside,
                _ => Turn::Question,
            },
        }
    }

    /// The message of a turn.
    fn message(&mut self, session: &mut Session, turn: Turn, asked_at: i64) -> MessagePart {
        let talk = self.person.people.talk;
        if turn == Turn::Question && session.said > 1 {
            session.topic = self.chance.pick(talk.topics);
        }
        let attachments = self.attachments(turn.role());
        let wordless = !attachments.is_empty()
            && turn.role() == MessageRole::User
            && self.chance.per_mille(600);
        let id = |number: u64| format!("{:08x}-{}-{number}", self.mark, self.sessions);
        let text = if wordless {
            String::new()
        } else {
            text(&mut self.chance, talk, session, turn)
        };
        let answers = session.before.filter(|before| {
            before.role() == MessageRole::User && turn.role() == MessageRole::Agent
        });
        MessagePart {
            external_id: id(session.said + 1),
            role: turn.role(),
            reply_to: answers.map(|_| id(session.said)),
            response_time_ms: answers.map(|_| (self.now - asked_at) / MILLISECOND),
            // About four letters each.
            tokens: (turn.role() == MessageRole::Agent)
                .then(|| i64::try_from(text.chars().count() / 4 + 1).unwrap_or(1)),
            sentiment: (turn == Turn::Thanks).then(|| Sentiment::of(0.8)).flatten(),
            text,
            attachments,
            sent_at: Timestamp(self.now),
            cost_micros: (turn.role() == MessageRole::Agent).then(|| cost(&mut self.chance)),
        }
    }

    /// What comes with a message: nothing, mostly.
    fn attachments(&mut self, role: MessageRole) -> Vec<AttachmentPart> {
        let share = match role {
            MessageRole::User => 35,
            MessageRole::Agent => 10,
            MessageRole::System => 0,
        };
        if !self.chance.per_mille(share) {
            return Vec::new();
        }
        let (kind, mime_type, ending, most) = self.chance.pick(ATTACHMENTS);
        let key = self.chance.any();
        vec![AttachmentPart {
            kind: (*kind).to_owned(),
            url: Some(format!("https://example.com/media/{key:016x}.{ending}")),
            mime_type: Some((*mime_type).to_owned()),
            size: Some(self.chance.between(2_000, *most)),
            name: (*kind == "file").then(|| format!("document-{}.{ending}", key % 1_000)),
        }]
    }

    /// Ends a session, if anyone does: many just stop, and their session stays open.
    fn close(&mut self, session: &mut Session) {
        if !self.chance.per_mille(800) {
            return;
        }
        let ended = self.now + self.chance.between(1_000, 600_000) * MILLISECOND;
        session.news.ended_at = Some(Timestamp(ended.min(END)));
        if self.habit != Habit::Silent && self.chance.per_mille(350) {
            let outcome = self.chance.word(self.person.people.talk.outcomes);
            session.news.summary = Some(format!("{}: {outcome}", session.topic.subject));
        }
    }
}

/// When a user first came, and when the last session should begin: the audience grows, a third of it is active, many have gone.
fn lifetime(chance: &mut Chance, habit: Habit, (number, of): (u64, u64)) -> (i64, i64) {
    let ago = match habit {
        Habit::Daily => chance.between(620 * DAY, SPAN),
        Habit::Casual | Habit::Silent => {
            (age(number, of) - chance.between(0, DAY)).clamp(2 * HOUR, SPAN)
        }
    };
    let gone = match habit {
        Habit::Daily => chance.between(HOUR, DAY),
        Habit::Casual | Habit::Silent if chance.per_mille(350) => {
            chance.between(HOUR, ago.min(14 * DAY))
        }
        Habit::Casual | Habit::Silent => chance.between(HOUR, ago),
    };
    let first = END - ago;
    (first - first % MILLISECOND, END - gone)
}

/// How long before [`END`] the user of this number appears: in the order of their numbers, as tables of real users grow,
/// and twice as many in the last week as in a week half-way.
fn age(number: u64, of: u64) -> i64 {
    const ONE: u64 = 1 << 20;
    let part = (u128::from(number) * u128::from(ONE * ONE) / u128::from(of.max(1))).isqrt();
    let left = i64::try_from(u128::from(ONE).saturating_sub(part)).unwrap_or(0);
    SPAN / (1 << 20) * left
}

/// The words of a turn.
fn text(chance: &mut Chance, talk: &Talk, session: &Session, turn: Turn) -> String {
    let words = match turn {
        Turn::Greeting => chance.word(talk.greetings),
        Turn::Question => session.topic.question,
        Turn::Answer => session.topic.answer,
        Turn::Aside => chance.word(talk.asides),
        Turn::Reply => chance.word(talk.replies),
        Turn::Thanks => chance.word(talk.thanks),
        Turn::Farewell => chance.word(talk.farewells),
        Turn::Notice => return chance.word(NOTICES).to_owned(),
    };
    if matches!(turn, Turn::Question | Turn::Answer) && chance.per_mille(8) {
        return long(chance, talk, words, session.matter);
    }
    let mut text = filled(words, session.matter);
    if chance.per_mille(110) {
        text.push(' ');
        text.push_str(chance.word(EMOJI));
    }
    text
}

/// Someone who tells everything at once.
fn long(chance: &mut Chance, talk: &Talk, words: &str, matter: u64) -> String {
    let mut text = filled(words, matter);
    let mut length = text.chars().count();
    while length < LONG {
        let topic = chance.pick(talk.topics);
        let more = format!(
            "\n\n{}\n{}",
            filled(topic.question, matter),
            filled(topic.answer, matter)
        );
        length += more.chars().count();
        text.push_str(&more);
    }
    text
}

/// The words, with the number in its place.
fn filled(words: &str, matter: u64) -> String {
    match words.split_once("{n}") {
        Some((before, after)) => format!("{before}{matter}{after}"),
        None => words.to_owned(),
    }
}

/// What an answer cost, in millionths: little, as a rule.
fn cost(chance: &mut Chance) -> i64 {
    chance.between(100, 5_000).min(chance.between(100, 5_000))
}
