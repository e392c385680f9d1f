//! Who a user is: the agent, the platform with its kind of id, and what the user has told about themselves.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::Habit;
use super::chance::{Chance, scatter};
use super::names::{FLOURISHES, Order, PEOPLES, People};
use crate::entity::platform::Platform;
use crate::write::event::{AgentPart, UserPart};

/// An agent of the made-up company.
struct Agent {
    external_id: &'static str,
    name: &'static str,
    description: &'static str,
    /// Users, in a thousand.
    weight: u32,
}

const fn agent(
    external_id: &'static str,
    name: &'static str,
    description: &'static str,
    weight: u32,
) -> Agent {
    Agent {
        external_id,
        name,
        description,
        weight,
    }
}

/// The largest has more than a third of all users: lists within one agent are long ones, too.
const AGENTS: &[Agent] = &[
    agent(
        "shop-helper",
        "Marlow Shop Helper",
        "Orders, parcels and returns.",
        380,
    ),
    agent(
        "bank-teller",
        "Harbour Bank Teller",
        "Cards, accounts and lost passwords.",
        180,
    ),
    agent(
        "clinic-desk",
        "Linden Clinic Desk",
        "Appointments and opening hours.",
        120,
    ),
    agent(
        "fibre-care",
        "Northwind Fibre Care",
        "Faults, bills and moving house.",
        90,
    ),
    agent(
        "travel-mate",
        "Pelican Travel Mate",
        "Bookings and changes of plan.",
        60,
    ),
    agent(
        "city-hall",
        "City Hall Guide",
        "Which form, which counter, when.",
        50,
    ),
    agent("tutor", "Quince Tutor", "Homework, in small steps.", 40),
    agent(
        "energy-advisor",
        "Brightwell Energy Advisor",
        "Meters and tariffs.",
        30,
    ),
    agent("table-booker", "Table for Two", "Restaurant bookings.", 20),
    agent(
        "hr-buddy",
        "HR Buddy",
        "Leave, payslips and first days; for colleagues.",
        15,
    ),
    agent(
        "museum-voice",
        "The Museum’s Voice",
        "Exhibitions, tickets, stories.",
        10,
    ),
    agent(
        "it-desk",
        "IT Desk (pilot)",
        "Laptops and access rights; a trial.",
        5,
    ),
];

/// The platforms, with how many users in a thousand reach their agent there.
const PLATFORMS: &[(Platform, u32)] = &[
    (Platform::Web, 260),
    (Platform::Whatsapp, 190),
    (Platform::Telegram, 130),
    (Platform::Messenger, 110),
    (Platform::Mobile, 90),
    (Platform::Instagram, 50),
    (Platform::Sms, 25),
    (Platform::Email, 25),
    (Platform::Viber, 20),
    (Platform::Line, 20),
    (Platform::Slack, 15),
    (Platform::Discord, 12),
    (Platform::Teams, 10),
    (Platform::Wechat, 10),
    (Platform::Voice, 8),
    (Platform::Api, 6),
    (Platform::GoogleChat, 5),
    (Platform::Twitter, 5),
    (Platform::Matrix, 3),
    (Platform::Irc, 2),
    (Platform::Gitter, 2),
    (Platform::Other, 2),
];

/// Domains that are nobody's.
const DOMAINS: &[&str] = &["example.com", "example.org", "example.net"];

/// Tags of users, with how often they are given, in a thousand.
const TAGS: &[(&str, u32)] = &[
    ("beta", 50),
    ("business", 60),
    ("churn-risk", 40),
    ("newsletter", 150),
    ("press", 5),
    ("trial", 120),
    ("vip", 30),
    ("wholesale", 20),
];

/// A user, before the first word.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// All that the first event says of the agent.
    pub(super) agent: AgentPart,
    /// All that the first event says of the user.
    pub(super) user: UserPart,
    /// Whose language they speak.
    pub(super) people: &'static People,
    /// Its tag, as their client reports it.
    pub(super) language: &'static str,
}

impl Person {
    /// Draws the user of this number. The first users meet each agent and each platform once, so that even
    /// a small audience has them all.
    pub(super) fn new(chance: &mut Chance, number: u64, habit: Habit) -> Self {
        let early = usize::try_from(number).unwrap_or(usize::MAX);
        let agent = AGENTS
            .get(early)
            .unwrap_or_else(|| chance.weigh(AGENTS, |agent| agent.weight));
        let (platform, _) = PLATFORMS
            .get(early)
            .unwrap_or_else(|| chance.weigh(PLATFORMS, |(_, weight)| *weight));
        let people = chance.weigh(PEOPLES, |people| people.weight);
        let language = chance.word(people.languages);
        let given = chance.pick(people.given);
        let handle = Handle {
            letters: given.1,
            number: number + 1,
        };
        let platform_id = platform_id(chance, *platform, &handle);
        let mut user = stranger(*platform, platform_id);
        introduce(chance, &mut user, people, given.0, &handle);
        user.language = chance.per_mille(700).then(|| language.to_owned());
        user.tags = tags(chance, habit);
        user.settings = chance.per_mille(250).then(|| settings(chance, people));
        Self {
            agent: AgentPart {
                external_id: agent.external_id.to_owned(),
                name: Some(agent.name.to_owned()),
                description: Some(agent.description.to_owned()),
            },
            user,
            people,
            language,
        }
    }
}

/// A user of whom nothing is known but the platform and the id there.
pub(super) fn stranger(platform: Platform, platform_id: String) -> UserPart {
    UserPart {
        platform,
        platform_id,
        name: None,
        email: None,
        phone: None,
        profile_picture_url: None,
        language: None,
        tags: None,
        settings: None,
        stopped_at: None,
    }
}

/// What addresses and nicknames of a user are made of. The number makes them the user's own.
struct Handle {
    letters: &'static str,
    number: u64,
}

impl Handle {
    fn nick(&self) -> String {
        format!("{}{}", self.letters, self.number)
    }

    fn address(&self, domain: &str) -> String {
        format!("{}.{}@{domain}", self.letters, self.number)
    }

    /// An international number without its plus. Area code 555 and what follows is set aside for stories.
    fn phone(&self) -> String {
        format!("155501{:05}", self.number)
    }
}

/// The user's id, in the shape of the platform's. It holds the user's number, so that no two are alike.
fn platform_id(chance: &mut Chance, platform: Platform, handle: &Handle) -> String {
    let number = handle.number;
    let wide = scatter(number, 64);
    match platform {
        Platform::Web => {
            let noise = chance.any();
            format!(
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                noise >> 32,
                noise & 0xffff,
                noise >> 16 & 0xfff,
                noise >> 20 & 0xfff,
                scatter(number, 48),
            )
        }
        Platform::Mobile => format!("{wide:016x}"),
        Platform::Api => format!("client_{number:06}"),
        Platform::Telegram => (100_000_000 + scatter(number, 33)).to_string(),
        Platform::Messenger => (2_000_000_000_000_000 + scatter(number, 50)).to_string(),
        Platform::Whatsapp => handle.phone(),
        Platform::Sms | Platform::Voice => format!("+{}", handle.phone()),
        Platform::Instagram => (17_841_400_000_000_000 + scatter(number, 40)).to_string(),
        Platform::Viber => STANDARD.encode(bytes([wide, chance.any()])),
        Platform::Line => format!("U{wide:016x}{:016x}", chance.any()),
        Platform::Wechat => {
            format!(
                "oX{}",
                URL_SAFE_NO_PAD.encode(&bytes([wide, chance.any(), chance.any()])[..19])
            )
        }
        Platform::Slack => format!("U{}", capitals(scatter(number, 50))),
        Platform::Discord => (100_000_000_000_000_000 + scatter(number, 56)).to_string(),
        Platform::Teams => {
            format!(
                "29:1{}",
                URL_SAFE_NO_PAD.encode(bytes([wide, chance.any(), chance.any()]))
            )
        }
        Platform::GoogleChat => format!("users/11{:019}", scatter(number, 63)),
        Platform::Matrix => format!("@{}:example.org", handle.nick()),
        Platform::Irc => handle.nick(),
        Platform::Gitter => format!("{}-{number}", handle.letters),
        Platform::Twitter => (1_000_000_000_000_000_000 + scatter(number, 59)).to_string(),
        Platform::Email => handle.address(chance.word(DOMAINS)),
        Platform::Other => format!("visitor-{number}"),
    }
}

/// The bytes of some numbers, side by side.
fn bytes<const N: usize>(numbers: [u64; N]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

/// Ten digits and capitals that stand for 50 bits.
fn capitals(bits: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKLMNPQRSTUVWX";
    (0..10)
        .map(|place| char::from(DIGITS[(bits >> (5 * place) & 31) as usize]))
        .collect()
}

/// Name, addresses, picture: each there or not.
fn introduce(
    chance: &mut Chance,
    user: &mut UserPart,
    people: &People,
    given: &str,
    handle: &Handle,
) {
    let has_number = matches!(
        user.platform,
        Platform::Whatsapp | Platform::Sms | Platform::Voice | Platform::Viber
    );
    user.name = chance
        .per_mille(850)
        .then(|| name(chance, people, given, handle));
    user.email = match user.platform {
        Platform::Email => Some(user.platform_id.clone()),
        _ => chance
            .per_mille(300)
            .then(|| handle.address(chance.word(DOMAINS))),
    };
    user.phone = (has_number || chance.per_mille(150)).then(|| format!("+{}", handle.phone()));
    user.profile_picture_url = chance.per_mille(350).then(|| {
        format!(
            "https://example.com/pictures/{:010x}.jpg",
            scatter(handle.number, 40)
        )
    });
}

/// What a user goes by: a full name, a given name, a nickname; with a flourish, sometimes.
fn name(chance: &mut Chance, people: &People, given: &str, handle: &Handle) -> String {
    let style = chance.below(100);
    let family = chance.word(people.family);
    let mut name = match (style, people.order) {
        (0..72, Order::GivenFirst) => format!("{given} {family}"),
        (0..72, Order::FamilyFirst) => format!("{family} {given}"),
        (0..72, Order::Joined) => format!("{family}{given}"),
        (72..92, _) => given.to_owned(),
        _ => handle.nick(),
    };
    if chance.per_mille(40) {
        name.push(' ');
        name.push_str(chance.word(FLOURISHES));
    }
    name
}

/// The tags of a user, in the order of the alphabet; the most faithful are all treated well.
fn tags(chance: &mut Chance, habit: Habit) -> Option<Vec<String>> {
    let tags: Vec<_> = TAGS
        .iter()
        .filter(|(tag, share)| chance.per_mille(*share) || habit == Habit::Daily && *tag == "vip")
        .map(|(tag, _)| (*tag).to_owned())
        .collect();
    (!tags.is_empty()).then_some(tags)
}

/// What a user has set in the chat window.
fn settings(chance: &mut Chance, people: &People) -> Map<String, Value> {
    let mut settings = Map::new();
    settings.insert(
        "notifications".to_owned(),
        Value::Bool(chance.per_mille(600)),
    );
    if chance.per_mille(300) {
        settings.insert(
            "text_size".to_owned(),
            Value::from(*chance.pick(&[12, 14, 18, 24])),
        );
    }
    settings.insert(
        "theme".to_owned(),
        Value::from(chance.word(&["light", "dark", "system"])),
    );
    settings.insert(
        "time_zone".to_owned(),
        Value::from(chance.word(people.zones)),
    );
    settings
}
