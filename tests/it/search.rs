//! Search: whoever is looked for is found, however they are written, in every order and on every page; and nobody else is.

use parlour::id::ObjectKind;
use parlour::text::{digits, fold};
use parlour::write::apply;
use parlour::write::event::Event;
use serde_json::{Value, json};

use crate::audience::{AGENT, USER_ORDERS, USERS, agent, event, list, users_of};
use crate::connection::compare;
use crate::harness::{Kind, Start, World, everywhere};
use crate::oracle::{List, Row, ask, walk};
use crate::rng::SeededRng;

/// A name, and other ways to write it or a part of it.
type Named = (&'static str, &'static [&'static str]);

const NAMES: [Named; 34] = [
    (
        "Ann Lee",
        &["ann", "LEE", "n l", "ＡＮＮ", "Ａｎｎ　Ｌｅｅ"],
    ),
    (
        "José Ñandú",
        &["jose nandu", "JOSÉ", "ñandu", "Jose\u{301}"],
    ),
    ("Zoë Brontë", &["zoe", "BRONTE", "oë b"]),
    ("François Œuvré", &["francois", "FRANÇOIS", "œuvre"]),
    (
        "Jürgen Groß",
        &["jurgen", "JÜRGEN", "GROSS", "groß", "Gross", "GROẞ"],
    ),
    ("Þórdís Guðmundsdóttir", &["þordis", "GUÐMUNDSDOTTIR"]),
    ("Łukasz Żółć", &["łukasz", "ŁUKASZ ZOŁC"]),
    ("Nguyễn Thị Ánh", &["nguyen thi anh", "NGUYỄN", "thi"]),
    ("Işık İnan", &["IŞIK", "ışık", "isik", "INAN", "inan"]),
    (
        "Γιώργος Παπαδόπουλος",
        &["γιωργος", "ΓΙΏΡΓΟΣ", "ΠΑΠΑΔΟΠΟΥΛΟΣ", "παπα"],
    ),
    ("Анна Ёлкина", &["анна", "ЁЛКИНА", "елкина", "АННА Ё"]),
    ("Андрій Їжак", &["андрій", "ЇЖАК", "їжак"]),
    ("Ѓорѓи", &["ЃОРЃИ", "ѓорѓи"]),
    ("Արամ Խաչատրյան", &["ԱՐԱՄ", "խաչ"]),
    ("ნინო", &["ნინ", "ᲜᲘᲜᲝ"]),
    ("محمد عليّ", &["محمد", "علي"]),
    ("שָׁלוֹם", &["שלום", "שׁלום"]),
    ("हिन्दी नाम", &["हिन्दी", "नाम"]),
    ("தமிழ்", &["தமிழ்", "தமி"]),
    ("สมชาย น้ำ", &["สมชาย", "น้ำ"]),
    ("田中 花子", &["田中", "花", "田中　花子"]),
    ("ガンダム", &["ガンダム", "ｶﾞﾝﾀﾞﾑ", "ガン"]),
    ("さくら", &["さくら", "くら", "さ"]),
    ("한국어", &["한국", "어", "한국어"]),
    ("王小明", &["王", "小明", "王小"]),
    ("𝓜𝓪𝓽𝓱", &["math", "MATH", "𝓂𝒶𝓉𝒽"]),
    ("ﬁnance №5", &["finance", "FINANCE NO5", "ﬁn"]),
    ("🦀 Ferris 👩‍👩‍👧", &["🦀", "ferris", "👩‍👩‍👧", "👧"]),
    ("100%_real", &["100%", "%_", "_REAL", "%"]),
    (
        "O'Neil \"Tip\" C:\\dir",
        &["o'neil", "\"TIP\"", "c:\\", "\\d", "'", "\\"],
    ),
    (
        "tab\there\u{7f}\u{1}",
        &["tab\there", "\there", "\u{7f}", "\u{1}"],
    ),
    ("-- ; DROP TABLE", &["--", "; drop", ";"]),
    ("{[(^$.*+?)]}", &["[(", "^$.*", "+?", "{["]),
    ("<b>&amp;</b>", &["<b>", "&AMP;", "</"]),
];

/// Phone numbers, written in different ways.
const PHONES: [&str; 6] = [
    "+1 (555) 010-0101",
    "1-555-010-0102",
    "0049.170.1234567",
    "+49 (0) 170 / 765 43 21",
    "15550100103",
    "tel:+442079460000",
];

#[tokio::test(flavor = "multi_thread")]
async fn everyone_is_found_however_they_are_written() {
    everywhere(Start::Empty, async |world| {
        let people = people(world).await;
        let mut wrong = Vec::new();
        for ((name, ways), person) in NAMES.iter().zip(&people) {
            let mut terms: Vec<String> = ways.iter().map(ToString::to_string).collect();
            let text = |field: &str| person[field].as_str().unwrap().to_owned();
            terms.extend([
                (*name).to_owned(),
                name.to_uppercase(),
                name.to_lowercase(),
                format!("  {name}\n"),
                full_width(name),
            ]);
            terms.extend([
                text("platformId"),
                text("platformId").to_uppercase(),
                text("id"),
                text("id").to_uppercase(),
                text("email").to_uppercase(),
            ]);
            terms.push(digits(&text("phoneNumber")));
            terms.push(text("phoneNumber"));
            for (term, found) in terms.iter().zip(found(world, &terms).await) {
                if !found.contains(&text("id")) {
                    wrong.push(format!("{name} by {term:?}"));
                }
            }
        }
        assert!(
            wrong.is_empty(),
            "not found on {:?}:\n{}",
            world.kind,
            wrong.join("\n")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_finds_those_who_have_it_and_nobody_else() {
    everywhere(Start::Empty, async |world| {
        let people = people(world).await;
        let mut terms: Vec<String> = NAMES
            .iter()
            .flat_map(|(name, ways)| [*name].into_iter().chain(ways.iter().copied()))
            .map(str::to_owned)
            .collect();
        terms.extend(
            [
                "@", "e", "an", "@example", "no one", "%%", "__", "\\\\", "\"'", "user_", "zz9",
                "0", "555 0", "\u{301}", "a\u{0}b", "\u{200b}",
            ]
            .map(str::to_owned),
        );
        for (term, found) in terms.iter().zip(found(world, &terms).await) {
            let mut expected: Vec<_> = people
                .iter()
                .filter(|person| has(person, term))
                .map(|person| person["id"].as_str().unwrap().to_owned())
                .collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "{term:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_id_or_address_finds_its_owners_alone() {
    let named = |at: usize, name: &str, email: &str| {
        event(json!({
            "agent": { "external_id": AGENT },
            "user": { "platform": "EMAIL", "platform_id": format!("p-{at}"), "name": name, "email": email },
            "session": { "external_id": at.to_string() },
            "message": { "external_id": "1", "role": "user", "text": "", "sent_at": "2026-01-01T00:00:00Z" },
        }))
    };
    everywhere(Start::Empty, async |world| {
        let events = [
            named(0, "Ann", "Ann@Example.com"),
            named(1, "Ann again", "ann@example.COM"),
            named(2, "Joann", "joann@example.com"),
            named(3, "ann@example.com (work)", "other@example.com"),
            named(4, "Bob", "bob@example.com.au"),
        ];
        apply(&world.database.writer, &events).await.unwrap();
        let ids: Vec<_> = users(world)
            .await
            .iter()
            .map(|row| row.id().to_owned())
            .collect();
        let terms = [
            "ann@example.com",
            " ANN@EXAMPLE.COM ",
            "bob@example.com",
            "@example.com",
            "nn@example.com",
        ]
        .map(str::to_owned);
        let counts: Vec<_> = found(world, &terms).await.iter().map(Vec::len).collect();
        assert_eq!(counts, [2, 2, 1, 5, 4]);
        let by_id = found(world, &ids).await;
        assert!(
            ids.iter()
                .map(std::slice::from_ref)
                .eq(by_id.iter().map(Vec::as_slice))
        );
        // An id of another kind, or of nobody, is just a text.
        let nobody = [agent(world).await, ObjectKind::ChatUser.encode(uuid())];
        assert_eq!(found(world, &nobody).await, [[""; 0]; 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_spaces_is_no_search() {
    everywhere(Start::Audience, async |world| {
        let everyone =
            "{ all: chatUsers { totalCount } null: chatUsers(search: null) { totalCount } }";
        let counts = world.ask(everyone, Value::Null).await;
        assert_eq!(counts["all"], counts["null"]);
        for blank in ["", " ", "\t\n", "\u{3000}\u{a0}"] {
            let query = "query ($blank: String) { chatUsers(search: $blank) { totalCount } }";
            let count = world.ask(query, json!({ "blank": blank })).await;
            assert_eq!(count["chatUsers"], counts["all"], "{blank:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_are_paged_as_any_list_is() {
    everywhere(Start::Audience, async |world| {
        people(world).await;
        let mut dice = SeededRng::new(6);
        let everyone = users_of(&agent(world).await);
        let whole = walk(world, &everyone, 100, true).await;
        for term in [
            "a",
            "an",
            "ann",
            "example",
            "5550",
            "%",
            "王",
            "nobody at all",
        ] {
            for platform in [None, Some("WEB"), Some("TELEGRAM")] {
                let only =
                    platform.map_or(String::new(), |platform| format!("platform: {platform},"));
                let fixed = format!("{} search: {}, {only}", everyone.fixed, Value::from(term));
                let list = list(&USERS, &USER_ORDERS, "chatUsers", fixed, "");
                let mine = |row: &Row| {
                    has(&row.node, term)
                        && platform.is_none_or(|platform| row.node["platform"] == platform)
                };
                compare(world, &list, &whole, 15, &mut dice, mine).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_among_the_oldest_of_thousands_are_found_in_every_order() {
    everywhere(Start::Empty, async |world| {
        let events: Vec<_> = (0..6000).map(one_of_thousands).collect();
        for half in events.chunks(3000) {
            apply(&world.database.writer, half).await.unwrap();
        }
        if world.kind == Kind::Postgres {
            world.database.analyze().await.unwrap();
        }
        let agent = agent(world).await;
        let mut dice = SeededRng::new(7);
        // The same people by another way: a condition on the name, which knows nothing of looks.
        let plain = users_of(&agent);
        for (term, matches) in [("needle", 60), ("uu", 60), ("王", 20), ("sometimes", 90)] {
            let named = format!("{} where: {{name: {{contains: \"{term}\"}}}},", plain.fixed);
            let whole = walk(
                world,
                &list(&USERS, &USER_ORDERS, "chatUsers", named, ""),
                100,
                true,
            )
            .await;
            assert_eq!(whole.0[0].len(), matches, "{term}");
            let searched = format!("{} search: \"{term}\",", plain.fixed);
            let list = list(&USERS, &USER_ORDERS, "chatUsers", searched, "");
            compare(world, &list, &whole, 45, &mut dice, |_| true).await;
        }
    })
    .await;
}

/// As many as are found, with any platform, hidden ones not among them; whether the index decides, or brings few, or too many.
#[tokio::test(flavor = "multi_thread")]
async fn as_many_are_counted_as_are_found() {
    everywhere(Start::Audience, async |world| {
        people(world).await;
        let all = users(world).await;
        let hidden = all[all.len() / 2].id().to_owned();
        world
            .ask(
                "mutation ($id: ID!) { deleteChatUser(input: { id: $id, mode: SOFT }) { userErrors { code } } }",
                json!({ "id": hidden }),
            )
            .await;
        let everyone = walk(world, &users_of(&agent(world).await), 100, true).await;
        let fixed = users_of(&agent(world).await).fixed;
        for term in ["a", "li", "ann", "anna", "example", "5550", "%_", "王", "王小明", "🦀", "user_", "o'n", "zzz"] {
            for platform in [None, Some("WEB"), Some("TELEGRAM")] {
                let mut expected = 0;
                for row in &everyone.0[0] {
                    let on = platform.is_none_or(|platform| row.node["platform"] == platform);
                    expected += u64::from(on && has(&row.node, term));
                }
                let on = platform.map_or(String::new(), |platform| format!(", platform: {platform}"));
                let query = format!(
                    "query ($term: String) {{ chatUsers({fixed} first: 0, search: $term{on}) {{ totalCount facets {{ platform {{ count }} }} }} }}"
                );
                let answer = world.ask(&query, json!({ "term": term })).await;
                let list = &answer["chatUsers"];
                assert_eq!(list["totalCount"], expected, "{term:?} {platform:?}");
                let parts = list["facets"]["platform"].as_array().unwrap();
                let sum: u64 = parts.iter().map(|part| part["count"].as_u64().unwrap()).sum();
                assert_eq!(sum, expected, "{term:?} {platform:?}, by platform");
            }
        }
    })
    .await;
}

/// So many that they are met on a walk, and none of them among the newest.
#[tokio::test(flavor = "multi_thread")]
async fn many_matches_that_come_late_are_found_in_every_order() {
    everywhere(Start::Empty, async |world| {
        let events: Vec<_> = (0..7400).map(one_of_many).collect();
        for part in events.chunks(2500) {
            apply(&world.database.writer, part).await.unwrap();
        }
        if world.kind == Kind::Postgres {
            world.database.analyze().await.unwrap();
        }
        let mut dice = SeededRng::new(8);
        let plain = users_of(&agent(world).await);
        for only in ["", "platform: SMS,"] {
            let named = format!(
                "{} {only} where: {{name: {{contains: \"zu\"}}}},",
                plain.fixed
            );
            let orders = vec![plain.orders[0], plain.orders[3]];
            let few_orders = |fixed| List {
                orders: orders.clone(),
                ..list(&USERS, &USER_ORDERS, "chatUsers", fixed, "")
            };
            let whole = walk(world, &few_orders(named), 100, true).await;
            assert!(whole.0[0].len() >= 1_000);
            let searched = few_orders(format!("{} {only} search: \"zu\",", plain.fixed));
            compare(world, &searched, &whole, 20, &mut dice, |_| true).await;
        }
    })
    .await;
}

/// One user of many: the oldest 2,200 have what is looked for.
fn one_of_many(at: usize) -> Event {
    let name = if at < 2200 {
        format!("Zu {}", at % 90)
    } else {
        format!("A {}", at % 90)
    };
    let (hour, minute) = (at / 60 % 24, at % 60);
    event(json!({
        "agent": { "external_id": AGENT },
        "user": { "platform": (["WEB", "SMS"][at % 2]), "platform_id": format!("{at}"), "name": name },
        "session": { "external_id": format!("{at}") },
        "message": { "external_id": "1", "role": "user", "text": "",
                     "sent_at": format!("2026-01-{:02}T{hour:02}:{minute:02}:00Z", 1 + at / 1440) },
    }))
}

/// One user of thousands. The oldest 60 have what is looked for, 30 of the newest and 60 of the oldest something else.
fn one_of_thousands(at: usize) -> Event {
    let name = match at {
        0..20 => format!("Needle uu 王 {at}"),
        20..60 => format!("Needle uu {at}"),
        60..120 | 5970.. => format!("Sometimes {at}"),
        _ => format!("Hay {}", at % 100),
    };
    let (hour, minute) = (at / 60 % 24, at % 60);
    event(json!({
        "agent": { "external_id": AGENT },
        "user": { "platform": "WEB", "platform_id": format!("{at}"), "name": name },
        "session": { "external_id": format!("{at}") },
        "message": { "external_id": "1", "role": "user", "text": "",
                     "sent_at": format!("2026-01-{:02}T{hour:02}:{minute:02}:00Z", 1 + at / 1440) },
    }))
}

/// Somebody for each name, as the graph shows them.
async fn people(world: &World) -> Vec<Value> {
    let person = |(at, (name, _)): (usize, &Named)| {
        let platforms = ["WEB", "TELEGRAM", "SMS"];
        event(json!({
            "agent": { "external_id": AGENT },
            "user": {
                "platform": platforms[at % platforms.len()],
                "platform_id": format!("Person-{at}x"),
                "name": name,
                "email": format!("Person.{at}@Example.com"),
                "phone": format!("{}{at:02}", PHONES[at % PHONES.len()]),
            },
            "session": { "external_id": format!("person-{at}") },
            "message": {
                "external_id": "1", "role": "user", "text": "",
                "sent_at": format!("2026-03-01T00:{at:02}:00Z"),
            },
        }))
    };
    let events: Vec<_> = NAMES.iter().enumerate().map(person).collect();
    apply(&world.database.writer, &events).await.unwrap();
    let mut people: Vec<_> = users(world).await.into_iter().map(|row| row.node).collect();
    people.retain(|person| {
        person["platformId"]
            .as_str()
            .unwrap()
            .starts_with("Person-")
    });
    people
}

/// All users of the agent, the earliest first.
async fn users(world: &World) -> Vec<Row> {
    let list = users_of(&agent(world).await);
    let list = List {
        orders: vec![list.orders[2]],
        ..list
    };
    walk(world, &list, 100, true).await.0.swap_remove(0)
}

/// Whom each of these terms finds, by id.
async fn found(world: &World, terms: &[String]) -> Vec<Vec<String>> {
    let list = users_of(&agent(world).await);
    let arguments: Vec<_> = terms
        .iter()
        .map(|term| format!("{} first: 100, search: {}", list.fixed, graphql(term)))
        .collect();
    let ids = |answer: Value| {
        let mut ids: Vec<_> = answer["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort_unstable();
        ids
    };
    ask(world, &list, &arguments, "{ nodes { id } }")
        .await
        .into_iter()
        .map(ids)
        .collect()
}

/// Whether a user has a term in what a search looks through.
fn has(user: &Value, term: &str) -> bool {
    let term = fold(term.trim());
    let phone = user["phoneNumber"].as_str().map(digits);
    let parts = ["name", "email", "phoneNumber", "platformId", "id"]
        .map(|field| user[field].as_str().map(fold));
    !term.is_empty()
        && parts
            .iter()
            .chain([&phone])
            .flatten()
            .any(|part| part.contains(&term))
}

/// A text with every character that has one in its full width form.
fn full_width(text: &str) -> String {
    let wide = |char: char| match char {
        ' ' => '\u{3000}',
        '!'..='~' => char::from_u32(u32::from(char) + 0xfee0).unwrap(),
        _ => char,
    };
    text.chars().map(wide).collect()
}

/// A text as a literal of a query.
fn graphql(text: &str) -> String {
    Value::from(text).to_string()
}

/// An id that nobody has.
fn uuid() -> sea_orm::prelude::Uuid {
    sea_orm::prelude::Uuid::from_u128(1)
}
