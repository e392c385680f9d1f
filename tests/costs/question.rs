//! The requests: `questions/<name>.graphql`, whose line `# variables: {…}` gives variables. `AGENT` and `USER` in it stand for ids.

use serde_json::{Value, json};

use crate::server::{Server, request};

/// One of them.
pub(crate) struct Question {
    /// The file's name.
    pub(crate) name: String,
    query: String,
    variables: Value,
}

impl Question {
    /// All of them, by name.
    pub(crate) fn all(server: &Server) -> Vec<Self> {
        let ids = ids(server);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/costs/questions");
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        let question = |file: &std::path::PathBuf| {
            let text = std::fs::read_to_string(file).unwrap();
            let given = text
                .lines()
                .find_map(|line| line.strip_prefix("# variables: "));
            Self {
                name: file.file_stem().unwrap().to_string_lossy().into_owned(),
                variables: given.map_or(json!({}), |given| variables(given, &ids)),
                query: text,
            }
        };
        files.iter().map(question).collect()
    }

    /// The body of a request that asks it for the `time`th time: a change has to change something.
    pub(crate) fn body(&self, time: usize) -> String {
        let mut variables = self.variables.clone();
        if let Some(name) = variables.get_mut("name") {
            *name = format!("Name {time}").into();
        }
        json!({ "query": self.query, "variables": variables }).to_string()
    }
}

fn variables(given: &str, [agent, user]: &[String; 2]) -> Value {
    serde_json::from_str(&given.replace("AGENT", agent).replace("USER", user)).unwrap()
}

/// The ids of the agent and of its first user.
fn ids(server: &Server) -> [String; 2] {
    let ask = |query: &str| -> Value {
        let (_, body) = server.ask(request(json!({ "query": query }).to_string()));
        serde_json::from_slice(&body).unwrap()
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let agent = text(&ask("{ agents { nodes { id } } }")["data"]["agents"]["nodes"][0]["id"]);
    let user = ask(&format!(
        "{{ chatUserByPlatformId(agentId: \"{agent}\", platform: WEB, platformId: \"user-00\") {{ id }} }}"
    ));
    [agent, text(&user["data"]["chatUserByPlatformId"]["id"])]
}
