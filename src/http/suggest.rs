//! "Did you mean": names of the schema close to one that it does not have.

use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;

/// How many names are suggested at most.
const MOST: usize = 3;
/// Names longer than this are nothing that anybody mistyped, in bytes.
const MAX_NAME: usize = 64;

/// The end of a message about something unknown: what may have been meant. `kind` is what the validator calls the
/// mistake, and `message` quotes the name and where it was looked for.
pub(super) fn suggestion(schema: &Schema, kind: &str, message: &str) -> Option<String> {
    let mut quoted = message.split('"').skip(1).step_by(2);
    let name = quoted.next()?.trim_start_matches('@');
    let place = quoted.next().unwrap_or_default();
    let names = match kind {
        "UndefinedField" | "UndefinedInputValue" => fields(schema, place),
        "UndefinedArgument" => arguments(schema, place),
        "UndefinedEnumValue" => values(schema, place),
        "UndefinedDirective" => schema
            .directive_definitions
            .keys()
            .map(AsRef::as_ref)
            .collect(),
        _ if message.starts_with("Unknown type ") => {
            schema.types.keys().map(AsRef::as_ref).collect()
        }
        _ => return None,
    };
    phrase(&closest(name, names))
}

fn fields<'a>(schema: &'a Schema, of: &str) -> Vec<&'a str> {
    match schema.types.get(of) {
        Some(ExtendedType::Object(object)) => object.fields.keys().map(AsRef::as_ref).collect(),
        Some(ExtendedType::Interface(interface)) => {
            interface.fields.keys().map(AsRef::as_ref).collect()
        }
        Some(ExtendedType::InputObject(input)) => input.fields.keys().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    }
}

/// The arguments of a field, `Type.field`, or of a directive, `@directive`.
fn arguments<'a>(schema: &'a Schema, of: &str) -> Vec<&'a str> {
    let definitions = match of.split_once('.') {
        Some((object, field)) => schema
            .type_field(object, field)
            .ok()
            .map(|field| &field.arguments),
        None => schema
            .directive_definitions
            .get(of.trim_start_matches('@'))
            .map(|directive| &directive.arguments),
    };
    let definitions = definitions.into_iter().flatten();
    definitions.map(|argument| argument.name.as_ref()).collect()
}

fn values<'a>(schema: &'a Schema, of: &str) -> Vec<&'a str> {
    schema
        .get_enum(of)
        .map(|found| found.values.keys().map(AsRef::as_ref).collect())
        .unwrap_or_default()
}

/// The names that differ from `name` in at most two fifths of its letters, and one; the closest first.
fn closest<'a>(name: &str, names: Vec<&'a str>) -> Vec<&'a str> {
    if name.len() > MAX_NAME {
        return Vec::new();
    }
    let most = name.len() * 2 / 5 + 1;
    let name = name.to_ascii_lowercase();
    let mut close: Vec<_> = names
        .into_iter()
        .filter(|known| !known.starts_with("__"))
        .map(|known| {
            let distance = strsim::damerau_levenshtein(&name, &known.to_ascii_lowercase());
            (distance, known)
        })
        .filter(|(distance, _)| *distance <= most)
        .collect();
    close.sort_unstable();
    close
        .into_iter()
        .take(MOST)
        .map(|(_, known)| known)
        .collect()
}

fn phrase(names: &[&str]) -> Option<String> {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let (last, others) = quoted.split_last()?;
    Some(if others.is_empty() {
        format!(" Did you mean {last}?")
    } else {
        format!(" Did you mean {} or {last}?", others.join(", "))
    })
}
