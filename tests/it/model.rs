//! Any sequence of changes ends in what a simple model in memory says, and in figures that a recount agrees with.
//!
//! `MODEL_SEQUENCES` says how many sequences are tried on each database; a few when it says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use parlour::write::verify::verify;
use serde_json::{Map, Value, json};

use crate::harness::{Start, World, everywhere};
use crate::rng::SeededRng;

/// Platform ids that people come by.
const SLOTS: usize = 4;
/// Changes of a sequence.
const LENGTH: usize = 60;

const PROFILE: [&str; 3] = ["email", "language", "name"];
const VALUES: [[&str; 3]; 3] = [
    ["a@example.org", "b@example.org", "c@example.org"],
    ["de", "en-GB", "zh-Hant-TW"],
    ["Zoë", "李雷", "Ümit 🎈"],
];
const TAGS: [&str; 4] = ["blue", "lead", "vip", "ß"];
const KEYS: [&str; 3] = ["theme", "mail", "😀"];

/// A user as the model has them.
#[derive(Clone, Debug, Default)]
struct Person {
    profile: [Option<&'static str>; 3],
    tags: BTreeSet<&'static str>,
    settings: Map<String, Value>,
    block: Option<Block>,
    subscriptions: BTreeSet<&'static str>,
    /// For each session, by its external id, whether the user sent each of its messages.
    sessions: BTreeMap<String, Vec<bool>>,
    is_hidden: bool,
    is_erased: bool,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    reason: Option<&'static str>,
}

/// What there is, as the model has it.
#[derive(Debug, Default)]
struct Model {
    people: BTreeMap<String, Person>,
    /// Whose id each id is: everybody's own, and those that were merged.
    ids: BTreeMap<String, String>,
    /// Who has a platform id.
    slots: BTreeMap<usize, String>,
}

/// A change, and whom it concerns.
#[derive(Clone, Debug)]
enum Change {
    /// A message of whoever comes by a platform id.
    Record {
        slot: usize,
        session: usize,
        sent: bool,
    },
    Profile {
        id: String,
        field: usize,
        value: Option<&'static str>,
    },
    Tag {
        id: String,
        tag: &'static str,
    },
    Untag {
        id: String,
        tag: &'static str,
    },
    Settings {
        id: String,
        patch: Value,
    },
    Block {
        id: String,
        reason: Option<&'static str>,
    },
    Unblock {
        id: String,
    },
    Subscribe {
        id: String,
        tag: &'static str,
    },
    Unsubscribe {
        id: String,
        tag: &'static str,
    },
    Delete {
        id: String,
        mode: &'static str,
    },
    Restore {
        id: String,
    },
    Merge {
        into: String,
        from: String,
    },
}

#[tokio::test(flavor = "multi_thread")]
async fn any_sequence_of_changes_ends_as_in_the_model() {
    let sequences = std::env::var("MODEL_SEQUENCES").map_or(6, |count| count.parse().unwrap());
    everywhere(Start::Empty, async |world| {
        for seed in 0..sequences {
            let (mut dice, mut model, mut made) =
                (SeededRng::new(seed), Model::default(), Vec::new());
            let bot = format!("bot {seed}");
            for _ in 0..LENGTH {
                let change = model.any(&mut dice);
                made.push(change.clone());
                let answer = change.make(world, &bot).await;
                let place = format!("sequence {seed}: {made:#?}");
                assert_eq!(answer.is_made, model.make(change, answer.user), "{place}");
                assert_eq!(told(world, &bot).await, model.told(), "{place}");
                let [stored, counted] = lengths(world, &bot).await;
                assert_eq!(stored, counted, "{place}");
            }
        }
        assert_eq!(verify(&world.database.reader).await.unwrap(), []);
    })
    .await;
}

/// What came of a change.
struct Answer {
    is_made: bool,
    /// Whom a message was recorded for, when they can be seen.
    user: Option<String>,
}

impl Change {
    async fn make(&self, world: &World, bot: &str) -> Answer {
        let (mutation, input) = match self {
            Self::Record {
                slot,
                session,
                sent,
            } => {
                return record(world, bot, *slot, *session, *sent).await;
            }
            Self::Profile { id, field, value } => (
                "updateChatUser",
                json!({ "id": id, PROFILE[*field]: value }),
            ),
            Self::Tag { id, tag } => ("tagChatUsers", json!({ "ids": [id], "tags": [tag] })),
            Self::Untag { id, tag } => ("untagChatUsers", json!({ "ids": [id], "tags": [tag] })),
            Self::Settings { id, patch } => (
                "updateChatUserSettings",
                json!({ "id": id, "settings": patch }),
            ),
            Self::Block { id, reason } => ("blockChatUser", json!({ "id": id, "reason": reason })),
            Self::Unblock { id } => ("unblockChatUser", json!({ "id": id })),
            Self::Subscribe { id, tag } => ("subscribeChatUser", json!({ "id": id, "tag": tag })),
            Self::Unsubscribe { id, tag } => {
                ("unsubscribeChatUser", json!({ "id": id, "tag": tag }))
            }
            Self::Delete { id, mode } => ("deleteChatUser", json!({ "id": id, "mode": mode })),
            Self::Restore { id } => ("restoreChatUser", json!({ "id": id })),
            Self::Merge { into, from } => ("mergeChatUsers", json!({ "into": into, "from": from })),
        };
        let kind = match mutation {
            "untagChatUsers" => "TagChatUsersInput".to_owned(),
            _ => mutation[..1].to_uppercase() + &mutation[1..] + "Input",
        };
        let query = format!(
            "mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}"
        );
        let data = world.ask(&query, json!({ "input": input })).await;
        Answer {
            is_made: data[mutation]["userErrors"] == json!([]),
            user: None,
        }
    }
}

async fn record(world: &World, bot: &str, slot: usize, session: usize, sent: bool) -> Answer {
    const RECORD: &str =
        "mutation ($event: EventInput!) { recordMessages(input: {events: [$event]}) { recorded } }";
    const USER: &str =
        "query ($bot: String, $session: String) { agents(where: {externalId: {eq: $bot}}) { nodes {
        sessions(where: {externalId: {eq: $session}}) { nodes { chatUser { id } } } } } }";
    static MESSAGES: AtomicUsize = AtomicUsize::new(0);
    let message = MESSAGES.fetch_add(1, Ordering::Relaxed);
    let session = format!("{slot}-{session}");
    let event = json!({
        "agent": { "externalId": bot },
        "user": { "platform": (["WEB", "SMS", "LINE"][slot % 3]), "platformId": slot.to_string() },
        "session": { "externalId": session },
        "message": { "externalId": message.to_string(), "role": if sent { "USER" } else { "AGENT" }, "text": "",
                     "sentAt": format!("2026-01-01T{:02}:{:02}:00Z", message / 60 % 24, message % 60) },
    });
    let data = world.ask(RECORD, json!({ "event": event })).await;
    let found = world
        .ask(USER, json!({ "bot": bot, "session": session }))
        .await;
    let user = &found["agents"]["nodes"][0]["sessions"]["nodes"][0]["chatUser"]["id"];
    Answer {
        is_made: data["recordMessages"]["recorded"] == 1,
        user: user.as_str().map(str::to_owned),
    }
}

/// What a server tells of everyone, in the words of [`Model::told`].
async fn told(world: &World, bot: &str) -> Value {
    const EVERYONE: &str = "query ($bot: String) { agents(where: {externalId: {eq: $bot}}) { nodes {
        totalUsers totalSessions totalMessages
        chatUsers(first: 100) { nodes {
            email language name tags settings erasedAt block { reason } subscriptions { nodes { tag } }
            totalSessions totalChatMessages totalMessagesSent
            sessions(first: 100) { nodes { externalId totalMessages totalMessagesFromUser } } } } } } }";
    let mut data = world.ask(EVERYONE, json!({ "bot": bot })).await;
    let agent = &mut data["agents"]["nodes"][0];
    let people = agent["chatUsers"]["nodes"].as_array().unwrap();
    let people = people.iter().map(|user| {
        let is_erased = user["erasedAt"].is_string();
        let sessions = user["sessions"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|session| {
                let id = if is_erased {
                    &Value::Null
                } else {
                    &session["externalId"]
                };
                json!([
                    id,
                    session["totalMessages"],
                    session["totalMessagesFromUser"]
                ])
            });
        let subscriptions = user["subscriptions"]["nodes"].as_array().unwrap();
        json!({
            "profile": PROFILE.map(|field| &user[field]),
            "tags": user["tags"],
            "settings": user["settings"],
            "block": user["block"],
            "subscriptions": sorted(subscriptions.iter().map(|one| one["tag"].clone())),
            "sessions": sorted(sessions),
            "totals": [user["totalSessions"], user["totalChatMessages"], user["totalMessagesSent"]],
            "erased": is_erased,
        })
    });
    json!({
        "people": sorted(people),
        "totals": [agent["totalUsers"], agent["totalSessions"], agent["totalMessages"]],
    })
}

/// How long every list is, twice: as figures tell, and under conditions that hold for all, so that rows have to be counted.
async fn lengths(world: &World, bot: &str) -> [Value; 2] {
    let always =
        |field: &str| format!(", where: {{ {field}: {{ gte: \"1900-01-01T00:00:00Z\" }} }}");
    let mut lengths = Vec::new();
    for [users, sessions, messages] in [
        ["", "", ""].map(str::to_owned),
        ["createdAt", "startedAt", "sentAt"].map(always),
    ] {
        let query = format!(
            "query ($bot: String) {{
               chatUsers(first: 0{users}) {{ totalCount facets {{ platform {{ value count }} }} }}
               sms: chatUsers(first: 0, platform: SMS{users}) {{ totalCount facets {{ platform {{ value count }} }} }}
               sessions(first: 0{sessions}) {{ totalCount }}
               agents(where: {{ externalId: {{ eq: $bot }} }}) {{ nodes {{
                 sessions(first: 0{sessions}) {{ totalCount }}
                 line: chatUsers(first: 0, platform: LINE{users}) {{ totalCount facets {{ platform {{ value count }} }} }}
                 chatUsers(first: 100{users}) {{ totalCount facets {{ platform {{ value count }} }} nodes {{
                   messages(first: 0{messages}) {{ totalCount }}
                   sessions(first: 100{sessions}) {{ totalCount nodes {{ messages(first: 0{messages}) {{ totalCount }} }} }} }} }} }} }} }}"
        );
        lengths.push(world.ask(&query, json!({ "bot": bot })).await);
    }
    lengths.try_into().unwrap()
}

/// Values in an order that hangs on nothing but themselves.
fn sorted(values: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut values: Vec<_> = values.collect();
    values.sort_by_key(Value::to_string);
    values
}

impl Person {
    fn totals(&self) -> [usize; 3] {
        let messages = || self.sessions.values().flatten();
        [
            self.sessions.len(),
            messages().count(),
            messages().filter(|sent| **sent).count(),
        ]
    }

    fn told(&self) -> Value {
        let sessions = self.sessions.iter().map(|(id, messages)| {
            let id = (!self.is_erased).then_some(id);
            json!([
                id,
                messages.len(),
                messages.iter().filter(|sent| **sent).count()
            ])
        });
        json!({
            "profile": self.profile,
            "tags": self.tags,
            "settings": self.settings,
            "block": self.block.map(|Block { reason }| json!({ "reason": reason })),
            "subscriptions": sorted(self.subscriptions.iter().map(|tag| json!(tag))),
            "sessions": sorted(sessions),
            "totals": self.totals(),
            "erased": self.is_erased,
        })
    }

    /// Nothing stays but figures.
    fn erase(&mut self) {
        *self = Self {
            sessions: std::mem::take(&mut self.sessions),
            block: self.block.map(|_| Block { reason: None }),
            is_erased: true,
            ..Self::default()
        };
    }

    /// Everything of somebody else's too.
    fn absorb(&mut self, other: Self) {
        for (own, value) in self.profile.iter_mut().zip(other.profile) {
            *own = own.or(value);
        }
        self.tags.extend(other.tags);
        let mut settings = Value::from(other.settings);
        lay_over(&mut settings, &Value::from(self.settings.clone()));
        self.settings.clone_from(settings.as_object().unwrap());
        self.block = self.block.or(other.block);
        self.subscriptions.extend(other.subscriptions);
        self.sessions.extend(other.sessions);
    }
}

impl Model {
    fn told(&self) -> Value {
        let seen = self.people.values().filter(|person| !person.is_hidden);
        let totals = self.people.values().map(Person::totals);
        let totals = totals.fold([0, 0], |sums, [sessions, messages, _]| {
            [sums[0] + sessions, sums[1] + messages]
        });
        json!({
            "people": sorted(seen.map(Person::told)),
            "totals": [self.people.len(), totals[0], totals[1]],
        })
    }

    /// Any change; a message while there is nobody yet.
    fn any(&self, dice: &mut SeededRng) -> Change {
        let ids: Vec<_> = self.ids.keys().cloned().collect();
        if ids.is_empty() || dice.once_in(3) {
            return Change::Record {
                slot: dice.below(SLOTS),
                session: dice.below(2),
                sent: dice.once_in(2),
            };
        }
        let id = dice.pick(&ids).clone();
        let tag = *dice.pick(&TAGS);
        match dice.below(14) {
            0 | 1 => {
                let field = dice.below(PROFILE.len());
                let value = *dice.pick(&VALUES[field]);
                let value = (!dice.once_in(4)).then_some(value);
                Change::Profile { id, field, value }
            }
            2 => Change::Tag { id, tag },
            3 => Change::Untag { id, tag },
            4 | 5 => Change::Settings {
                id,
                patch: patch(dice),
            },
            6 => {
                let reason = dice.once_in(2).then_some("spam");
                Change::Block { id, reason }
            }
            7 => Change::Unblock { id },
            8 => Change::Subscribe { id, tag },
            9 => Change::Unsubscribe { id, tag },
            10 => {
                let mode = *dice.pick(&["SOFT", "SOFT", "ERASE", "HARD"]);
                Change::Delete { id, mode }
            }
            11 => Change::Restore { id },
            _ => {
                let from = dice.pick(&ids).clone();
                Change::Merge { into: id, from }
            }
        }
    }

    /// Whom an id leads to, when they can be seen.
    fn seen(&mut self, id: &str) -> Option<&mut Person> {
        let person = self.people.get_mut(&self.ids[id])?;
        (!person.is_hidden).then_some(person)
    }

    /// Makes a change, if it can be made. `user` is whom a message was recorded for.
    fn make(&mut self, change: Change, user: Option<String>) -> bool {
        match change {
            Change::Record {
                slot,
                session,
                sent,
            } => self.record(slot, session, sent, user),
            Change::Profile { id, field, value } => {
                self.change(&id, |person| person.profile[field] = value)
            }
            Change::Tag { id, tag } => self.change(&id, |person| {
                person.tags.insert(tag);
            }),
            Change::Untag { id, tag } => self.change(&id, |person| {
                person.tags.remove(tag);
            }),
            Change::Settings { id, patch } => self.change(&id, |person| {
                let mut settings = Value::from(person.settings.clone());
                merge(&mut settings, &patch);
                person.settings.clone_from(settings.as_object().unwrap());
            }),
            Change::Block { id, reason } => {
                self.change(&id, |person| person.block = Some(Block { reason }))
            }
            Change::Unblock { id } => self.change(&id, |person| person.block = None),
            Change::Subscribe { id, tag } => self.change(&id, |person| {
                person.subscriptions.insert(tag);
            }),
            Change::Unsubscribe { id, tag } => self.change(&id, |person| {
                person.subscriptions.remove(tag);
            }),
            Change::Delete { id, mode } => self.delete(&id, mode),
            Change::Restore { id } => {
                let person = self.people.get_mut(&self.ids[&id]);
                person.map(|person| person.is_hidden = false).is_some()
            }
            Change::Merge { into, from } => self.merge(&into, &from),
        }
    }

    fn record(&mut self, slot: usize, session: usize, sent: bool, user: Option<String>) -> bool {
        let id = self.slots.entry(slot).or_insert_with(|| {
            let id = user.unwrap();
            self.ids.insert(id.clone(), id.clone());
            id
        });
        let person = self.people.entry(id.clone()).or_default();
        let session = person
            .sessions
            .entry(format!("{slot}-{session}"))
            .or_default();
        session.push(sent);
        true
    }

    /// Changes somebody who can be seen, and was not erased.
    fn change(&mut self, id: &str, change: impl FnOnce(&mut Person)) -> bool {
        let person = self.seen(id).filter(|person| !person.is_erased);
        person.map(change).is_some()
    }

    fn delete(&mut self, id: &str, mode: &str) -> bool {
        let id = self.ids[id].clone();
        let Some(person) = self.people.get_mut(&id) else {
            return false;
        };
        if mode == "SOFT" {
            person.is_hidden = true;
            return true;
        }
        self.slots.retain(|_, who| *who != id);
        if mode == "ERASE" {
            person.erase();
            // What a user was called before says who they were.
            self.ids.retain(|own, who| *who != id || *own == id);
        } else {
            self.people.remove(&id);
            self.ids.retain(|_, who| *who != id);
        }
        true
    }

    fn merge(&mut self, into: &str, from: &str) -> bool {
        let is_whole = |person: &mut Person| !person.is_erased;
        if into == from
            || ![into, from]
                .iter()
                .all(|id| self.seen(id).is_some_and(is_whole))
        {
            return false;
        }
        let (stays, goes) = (self.ids[into].clone(), self.ids[from].clone());
        if stays == goes {
            return true;
        }
        if let (Some(gone), Some(person)) = (self.people.remove(&goes), self.people.get_mut(&stays))
        {
            person.absorb(gone);
        }
        for who in self.ids.values_mut().chain(self.slots.values_mut()) {
            if *who == goes {
                who.clone_from(&stays);
            }
        }
        true
    }
}

fn patch(dice: &mut SeededRng) -> Value {
    let key = *dice.pick(&KEYS);
    let value = match dice.below(4) {
        0 => Value::Null,
        1 => json!({ "a": dice.below(3) }),
        2 => json!({ "b": [dice.below(3)], "a": null }),
        _ => json!("plain"),
    };
    json!({ key: value })
}

/// A merge patch (RFC 7396), as its section 2 has it.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

/// Settings with others laid over them, at every level.
fn lay_over(target: &mut Value, over: &Value) {
    match (target.as_object_mut(), over.as_object()) {
        (Some(target), Some(over)) => {
            for (key, value) in over {
                lay_over(target.entry(key).or_insert(Value::Null), value);
            }
        }
        _ => target.clone_from(over),
    }
}
