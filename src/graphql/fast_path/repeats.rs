//! Documents that ask for parts of an object at several places. The executor puts such parts together; what was written at once
//! cannot be.

use std::collections::HashSet;

use async_graphql::parser::types::{Field, Selection, SelectionSet};

use crate::graphql::executor::Fragments;

/// Whether an object may be asked for twice under one key.
pub(in crate::graphql) fn repeats(selection: &SelectionSet, fragments: &Fragments) -> bool {
    let named = fragments
        .values()
        .map(|fragment| &fragment.node.selection_set.node);
    std::iter::once(selection)
        .chain(named)
        .any(|set| within(fragments, set))
}

fn within(fragments: &Fragments, set: &SelectionSet) -> bool {
    let mut keys = Keys {
        fragments,
        objects: HashSet::new(),
        seen: HashSet::new(),
    };
    keys.repeat(set) || beneath(set).any(|set| within(fragments, set))
}

/// The selections of the fields in a selection, but for those in named fragments.
fn beneath(set: &SelectionSet) -> Box<dyn Iterator<Item = &SelectionSet> + '_> {
    Box::new(set.items.iter().flat_map(|item| match &item.node {
        Selection::Field(field) => Box::new(std::iter::once(&field.node.selection_set.node)),
        Selection::InlineFragment(fragment) => beneath(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => Box::new(std::iter::empty()) as Box<dyn Iterator<Item = _>>,
    }))
}

/// What is asked of one object.
struct Keys<'a> {
    fragments: &'a Fragments,
    /// The keys of objects in it.
    objects: HashSet<&'a str>,
    /// The named fragments that have been looked at. What one asks for twice is the same.
    seen: HashSet<&'a str>,
}

impl<'a> Keys<'a> {
    fn repeat(&mut self, set: &'a SelectionSet) -> bool {
        set.items.iter().any(|item| match &item.node {
            Selection::Field(field) => self.repeats(&field.node),
            Selection::InlineFragment(fragment) => self.repeat(&fragment.node.selection_set.node),
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                let fragment = self.fragments.get(name);
                self.seen.insert(name)
                    && fragment
                        .is_some_and(|fragment| self.repeat(&fragment.node.selection_set.node))
            }
        })
    }

    fn repeats(&mut self, field: &'a Field) -> bool {
        let is_object = !field.selection_set.node.items.is_empty();
        is_object && !self.objects.insert(&field.response_key().node)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use crate::graphql::Operation;

    #[test]
    fn objects_under_one_key_are_found_through_fragments() {
        for (text, expected) in [
            ("{ a { b } c { b } }", false),
            ("{ a b a }", false),
            ("{ a { b } a { c } }", true),
            ("{ x: a { b } y: a { b } }", false),
            ("{ x: a { b } ... on Query { x: a { c } } }", true),
            ("{ ...F a { c } } fragment F on Query { a { b } }", true),
            ("{ ...F ...F } fragment F on Query { a { b } }", false),
            ("{ z { a { b } ... { a { c } } } }", true),
            (
                "{ ...F } fragment F on Query { z { a { b } a { c } } }",
                true,
            ),
        ] {
            let document = parse_query(text).unwrap();
            let operation = Operation::of(&document, None).unwrap();
            assert_eq!(operation.repeats, expected, "{text}");
        }
    }
}
