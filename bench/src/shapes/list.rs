//! The query shapes that are measured.

use parlour::read::chat_user::ChatUserOrderField;
use parlour::read::page::{Order, SortField};
use parlour::read::session::SessionOrderField;

use crate::audience::OLD_WORD;
use crate::shapes::sample::Sample;
use crate::shapes::task::{Id, Listed, Page, Place, Search, Task, Users};

/// Something that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) group: Group,
    pub(crate) name: String,
    pub(crate) task: Task,
}

/// Under which heading a shape is reported, and what is promised of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    DefaultPage,
    Order,
    MiddlePage,
    LookUp,
    Table,
    Search,
    Nested,
    Sessions,
}

impl Group {
    pub(crate) const ALL: [Self; 8] = [
        Self::DefaultPage,
        Self::Order,
        Self::MiddlePage,
        Self::LookUp,
        Self::Table,
        Self::Search,
        Self::Nested,
        Self::Sessions,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::DefaultPage => "Default page",
            Self::Order => "Any order",
            Self::MiddlePage => "Middle page",
            Self::LookUp => "Exact look-ups",
            Self::Table => "More of the table of users",
            Self::Search => "Search",
            Self::Nested => "Nested",
            Self::Sessions => "Sessions",
        }
    }

    /// Whether its shapes are to take no more than three times what their bare SQL takes.
    pub(crate) const fn is_held_to_bare_sql(self) -> bool {
        matches!(
            self,
            Self::DefaultPage | Self::Order | Self::MiddlePage | Self::LookUp
        )
    }
}

const DEFAULT: Order<ChatUserOrderField> = Order {
    field: ChatUserOrderField::LastMessageAt,
    descending: true,
};
/// What one user in twenty has in a name or an address, but hardly anybody whose name comes first.
const LATE_TERM: &str = "ann";
const NEWEST: Order<SessionOrderField> = Order {
    field: SessionOrderField::StartedAt,
    descending: true,
};

/// The default page of an agent.
pub(crate) const fn page_of(agent: Id) -> Users {
    Users {
        agent: Some(agent),
        platform: None,
        search: None,
        page: Page::first(DEFAULT),
        total_count: false,
    }
}

/// All shapes, in the order of the report.
pub(crate) fn all(sample: &Sample) -> Vec<Shape> {
    let mut shapes = Vec::new();
    users(sample, &mut shapes);
    look_ups(sample, &mut shapes);
    searches(sample, &mut shapes);
    nested(sample, &mut shapes);
    sessions(sample, &mut shapes);
    shapes.sort_by_key(|shape| Group::ALL.iter().position(|&group| group == shape.group));
    shapes
}

fn add(shapes: &mut Vec<Shape>, group: Group, name: impl Into<String>, task: Task) {
    shapes.push(Shape {
        group,
        name: name.into(),
        task,
    });
}

fn users(sample: &Sample, shapes: &mut Vec<Shape>) {
    let page = page_of(sample.agent);
    add(
        shapes,
        Group::DefaultPage,
        "20 users × 10 fields",
        Task::Users(page.clone()),
    );
    for order in orders::<ChatUserOrderField>() {
        let users = Users {
            page: Page::first(order),
            ..page.clone()
        };
        add(shapes, Group::Order, order_name(order), Task::Users(users));
    }
    let middle = with_page(&page, |page| page.after = Some(sample.middle.clone()));
    let name = format!("after the cursor of row {}", sample.users / 2);
    add(shapes, Group::MiddlePage, name, Task::Users(middle));
    let counted = Users {
        total_count: true,
        ..page.clone()
    };
    add(
        shapes,
        Group::Table,
        "page with totalCount",
        Task::Users(counted),
    );
    let offset = 1_000.min(sample.users.unsigned_abs() / 2);
    let jump = with_page(&page, |page| page.offset = offset);
    let name = format!("page by offset {offset}");
    add(shapes, Group::Table, name, Task::Users(jump));
    let everywhere = Users {
        agent: None,
        ..page.clone()
    };
    add(
        shapes,
        Group::Table,
        "page across all agents",
        Task::Users(everywhere),
    );
    let on_platform = Users {
        platform: Some(sample.platform.clone()),
        ..page
    };
    add(
        shapes,
        Group::Table,
        format!("page of one platform ({})", sample.platform),
        Task::Users(on_platform),
    );
    let agent = sample.agent;
    add(
        shapes,
        Group::Table,
        "facets: users per platform",
        Task::Facets { agent },
    );
}

fn look_ups(sample: &Sample, shapes: &mut Vec<Shape>) {
    let page = page_of(sample.agent);
    let mut look_up = |name: &str, task| add(shapes, Group::LookUp, name, task);
    look_up("chatUser by id", Task::User { user: sample.user });
    look_up(
        "chatUserByPlatformId",
        Task::UserByPlatformId {
            agent: sample.agent,
            platform: sample.platform.clone(),
            platform_id: sample.platform_id.clone(),
        },
    );
    let email = Search::Email(sample.email.clone());
    look_up("search: an e-mail address", searched(&page, email));
    look_up("search: an id", searched(&page, Search::Id(sample.user)));
}

fn searches(sample: &Sample, shapes: &mut Vec<Shape>) {
    let two: String = sample.common.chars().take(2).collect();
    let one: String = sample.common.chars().take(1).collect();
    let terms = [
        ("a common term", sample.common.as_str()),
        ("a rare term", sample.rare.as_str()),
        ("an absent term", "zzqxjvkw"),
        ("only the last user has it", sample.last.as_str()),
        ("only the last 2 % have it", OLD_WORD),
        ("two characters", two.as_str()),
        ("two absent characters", "☃☃"),
        ("one character", one.as_str()),
        ("one absent character", "☃"),
    ];
    let agent = page_of(sample.agent);
    let everywhere = Users {
        agent: None,
        ..agent.clone()
    };
    let platform = Users {
        platform: Some(sample.platform.clone()),
        ..agent.clone()
    };
    let by_name = Users {
        page: Page::first(Order {
            field: ChatUserOrderField::Name,
            descending: false,
        }),
        ..agent.clone()
    };
    for (users, how, terms) in [
        (agent, "", &terms[..]),
        (everywhere, ", all agents", &terms[..]),
        (platform, ", on one platform", &terms[..5]),
        (by_name.clone(), ", by name", &terms[..5]),
    ] {
        for (name, term) in terms {
            let task = searched(&users, Search::Text((*term).to_owned()));
            add(shapes, Group::Search, format!("{name}{how}"), task);
        }
    }
    let name = "a term of many, few of them first, by name";
    let task = searched(&by_name, Search::Text(LATE_TERM.to_owned()));
    add(shapes, Group::Search, name, task);
}

fn nested(sample: &Sample, shapes: &mut Vec<Shape>) {
    add(
        shapes,
        Group::Nested,
        "20 users × 5 sessions × 10 messages",
        Task::Audience {
            agent: sample.agent,
            users: 20,
            sessions: 5,
            messages: 10,
        },
    );
    add(
        shapes,
        Group::Nested,
        "one user × 10 sessions × 20 messages",
        Task::Conversations {
            user: sample.talker,
            sessions: 10,
            messages: 20,
        },
    );
}

fn sessions(sample: &Sample, shapes: &mut Vec<Shape>) {
    let count = sample.everyday_sessions;
    let mut history = |name: &str, backward, after: Option<&Place>| {
        let task = Task::History {
            user: sample.everyday,
            page: Page {
                backward,
                after: after.cloned(),
                ..Page::first(NEWEST)
            },
        };
        let name = format!("a user with {count} sessions: {name}");
        add(shapes, Group::Sessions, name, task);
    };
    history("first page", false, None);
    history("last page", true, None);
    history("middle page", false, Some(&sample.everyday_middle));
    for order in orders::<SessionOrderField>() {
        let task = Task::Sessions {
            agent: sample.agent,
            page: Page::first(order),
        };
        let name = format!("of an agent: {}", order_name(order));
        add(shapes, Group::Sessions, name, task);
    }
}

fn with_page(users: &Users, change: impl FnOnce(&mut Page<ChatUserOrderField>)) -> Users {
    let mut users = users.clone();
    change(&mut users.page);
    users
}

fn searched(users: &Users, search: Search) -> Task {
    Task::Users(Users {
        search: Some(search),
        ..users.clone()
    })
}

fn orders<F: Listed>() -> impl Iterator<Item = Order<F>> {
    F::ALL
        .iter()
        .flat_map(|&field| [true, false].map(|descending| Order { field, descending }))
}

fn order_name<F: SortField>(order: Order<F>) -> String {
    let direction = if order.descending { "DESC" } else { "ASC" };
    format!("{} {direction}", order.field.word())
}
