// Differences from graphql-js that are known: each with its smallest request. The test fails when one has gone, so that it
// leaves this list, and for every difference that is not here.

/**
 * `kind` is that of compare.mjs; a difference of another request is this one when its kind is the same and `shows` holds
 * of it.
 */
export const KNOWN = [
  // ------------------------------------------------------------------------------------- the server is right

  // The specification has this rule since September 2025 (Operation Type Existence); graphql-js 16 lacks it.
  {
    name: 'an operation of a kind that the schema lacks is refused, even where another one is asked for',
    kind: 'refused',
    request: { query: 'query A { __typename } mutation B { __typename }', operationName: 'A' },
    shows: ({ messages }, { query }) =>
      /\b(mutation|subscription)\b/.test(query) && messages.some((text) => /mutation|subscription/i.test(text)),
  },

  // ------------------------------------------------------------------------------------- the server is wrong

  // The schema file lacks `@specifiedBy` on the scalar, while introspection has its address.
  {
    name: 'the schema file does not say what specifies DateTime',
    kind: 'data',
    request: { query: '{ __type(name: "DateTime") { specifiedByURL } }' },
    shows: (_, { query }) => query.includes('specifiedByURL'),
  },
  // The text is that of the type `__Schema`; the schema itself has no description.
  {
    name: 'the schema has a description that it was not given',
    kind: 'data',
    request: { query: '{ __schema { description } }' },
    shows: (_, { query }) => /__schema \{ description/.test(query),
  },
  // "If a built-in scalar type is not referenced anywhere in a schema it must not be included."
  {
    name: 'introspection lists Float, which nothing uses',
    kind: 'data',
    request: { query: '{ __schema { types { name } } }', unordered: true },
    shows: ({ detail }, { query }) => /__schema \{ types/.test(query) && detail.includes('"Float"'),
  },
  // The path ends at the row: the name of the field is missing.
  {
    name: 'the error of a field of a row does not name the field',
    kind: 'paths',
    request: { query: '{ agents(first: 2) { nodes { name sessions(first: -1) { totalCount } } } }' },
    shows: ({ detail }) => /^an error at \[[^\]]*,\d+\],/.test(detail),
  },
  // Fields of one name are executed one after the other and their answers merged, not their selections: what fails in one
  // leaves the object of the other.
  {
    name: 'a field that fails in one of two selections of its parent leaves the other',
    kind: 'data',
    request: {
      query: '{ sessions(first: 1) { nodes { agent { id } agent { sessions(first: -1) { totalCount } } } } }',
    },
    shows: ({ failing, parts: [wanted, got] }) => failing && wanted === 'null' && got.startsWith('{'),
  },
  {
    name: 'a field that is selected twice and fails has two errors',
    kind: 'paths',
    request: {
      query:
        '{ sessions(first: 1) { nodes { agent { sessions(first: -1) { totalCount } } agent { sessions(first: -1) { nodes { id } } } } } }',
    },
    shows: ({ detail }) => detail === 'the same field has two errors',
  },
  // The default is there for validation and not where the directive is looked at.
  {
    name: 'the default of a variable does not reach @skip and @include',
    kind: 'data',
    request: { query: 'query ($a: Boolean = true) { agents { totalCount @include(if: $a) } }' },
    shows: (_, { query }) => /\$\w+: Boolean = /.test(query) && /@(skip|include)\(if: \$/.test(query),
  },
];
