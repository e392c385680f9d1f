//! Tags without blanks around them, however they came in.

use crate::script::Script;

/// What Unicode calls white space, as `str::trim` takes it off. As a text of SQL.
const BLANKS: &str = "'\u{9}\u{a}\u{b}\u{c}\u{d} \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}'";

/// The tags of a table as they are stored from now on: distinct, sorted, as JSON without blanks.
const SQLITE: &str = "UPDATE {table} SET tags = (
        SELECT json_group_array(value) FROM (
            SELECT DISTINCT trim(tag.value, {blanks}) AS value FROM json_each({table}.tags) AS tag
            WHERE trim(tag.value, {blanks}) <> '' ORDER BY 1))
    WHERE EXISTS (SELECT 1 FROM json_each({table}.tags) AS tag WHERE trim(tag.value, {blanks}) <> tag.value)";
const POSTGRES: &str = "UPDATE {table} SET tags = (
        SELECT '[' || COALESCE(string_agg(to_json(trimmed.value)::text, ',' ORDER BY trimmed.value COLLATE \"C\"), '') || ']' FROM (
            SELECT DISTINCT btrim(tag.value, {blanks}) AS value FROM jsonb_array_elements_text({table}.tags::jsonb) AS tag (value)
            WHERE btrim(tag.value, {blanks}) <> '') AS trimmed)
    WHERE EXISTS (SELECT 1 FROM jsonb_array_elements_text({table}.tags::jsonb) AS tag (value) WHERE btrim(tag.value, {blanks}) <> tag.value)";

/// The lists by tag follow.
const LISTS: [&str; 2] = [
    "DELETE FROM chat_user_tags WHERE {trim}(tag, {blanks}) <> tag",
    "INSERT INTO chat_user_tags (tag, agent_id, chat_user_id)
        SELECT tag.value, chat_users.agent_id, chat_users.id FROM chat_users CROSS JOIN {each_tag} WHERE true
        ON CONFLICT DO NOTHING",
];

pub(crate) fn up(script: &mut Script) {
    let (update, trim) = if script.is_postgres() {
        (POSTGRES, "btrim")
    } else {
        (SQLITE, "trim")
    };
    let updates = ["chat_users", "sessions"].map(|table| update.replace("{table}", table));
    let lists = LISTS.map(|sql| sql.replace("{trim}", trim));
    for sql in updates.iter().chain(&lists) {
        script.run(&[&sql.replace("{blanks}", BLANKS)]);
    }
}

/// Nobody needs the blanks again.
pub(crate) const fn down(_: &mut Script) {
}
