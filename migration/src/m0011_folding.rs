//! How far the folded texts of each table are: names, addresses and search texts are folded by the program, and folded again, step by
//! step, where a later version folds otherwise. The rows that are there were folded before versions were kept.

use crate::script::Script;

const UP: [&str; 2] = [
    "CREATE TABLE text_foldings (
        table_name {text} PRIMARY KEY NOT NULL,
        version {int} NOT NULL,
        last_id {uuid}
    ) {strict}",
    "INSERT INTO text_foldings (table_name, version) VALUES ('agents', 0), ('chat_users', 0)",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&["DROP TABLE text_foldings"]);
}
