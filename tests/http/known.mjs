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
    request: { query: 'query A { __typename } subscription B { __typename }', operationName: 'A' },
    shows: ({ messages }, { query }) =>
      /\bsubscription\b/.test(query) && messages.some((text) => /subscription/i.test(text)),
  },

  // Nothing that is stored holds U+0000, and the server says so; to the reference it is a character like any other.
  {
    name: 'a filter with U+0000 is a mistake',
    kind: 'data',
    request: { query: '{ agents(where: {externalId: {eq: "\\u0000"}}) { totalCount } }' },
    shows: ({ parts: [, got] }, { query }) => got === 'null' && /u0000|\u0000/.test(query),
  },

  // To the reference a condition is an input like any other, and null may stand in any field that is not required.
  {
    name: 'null for an operator of a condition is a mistake',
    kind: 'refused',
    request: { query: '{ chatUsers(where: { totalSessions: null }) { totalCount } }' },
    shows: ({ messages }) => messages.some((text) => /no operator takes null/.test(text)),
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
  // Directives that are deprecated came with a later draft than the library's.
  {
    name: 'introspection does not know of deprecated directives',
    kind: 'data',
    request: { query: '{ __type(name: "__Directive") { fields { name } } }' },
    shows: ({ detail }, { query }) =>
      /__schema \{ types|__Directive/.test(query) && /deprecationReason|isDeprecated/.test(detail),
  },
  // "Interface: must return the set of interfaces that this interface implements (if none, must return the empty set)."
  {
    name: 'the interfaces of an interface are null instead of none',
    kind: 'data',
    request: { query: '{ __type(name: "Node") { interfaces { name } } }' },
    shows: ({ detail }, { query }) => /interfaces \{/.test(query) && detail.includes('null'),
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
  // Descriptions of operations came with the specification of September 2025; the parser does not know them yet.
  {
    name: 'an operation cannot have a description',
    kind: 'refused',
    request: { query: '"""What it is for.""" query A { __typename }' },
    shows: (_, { query }) => query.startsWith('"""'),
  },
  // So did `isOneOf`.
  {
    name: 'introspection does not know isOneOf',
    kind: 'refused',
    request: { query: '{ __type(name: "ChatUserOrder") { isOneOf } }' },
    shows: (_, { query }) => query.includes('isOneOf'),
  },
  // The executor reads `-0` as a number with a fraction, and so it does with numbers beyond 64 bits, also for an ID.
  {
    name: 'minus zero is no Int',
    kind: 'data',
    request: { query: '{ agents(first: -0) { totalCount } }' },
    shows: ({ parts: [, got] }, { query }) => got === 'null' && query.includes('-0'),
  },
  {
    name: 'a number beyond 64 bits is no ID',
    kind: 'data',
    request: { query: '{ node(id: 99999999999999999999999999) { id } }' },
    shows: ({ parts: [, got] }, { query }) => got === 'null' && /: \d{20}/.test(query),
  },
  // A variable with a default may stand where nothing may be null; given null, its field fails. Here all of the data is
  // null, and the directives take it for false.
  {
    name: 'null for a variable with a default fails more than its field',
    kind: 'data',
    request: { query: 'query ($a: ID = "x") { node(id: $a) { id } __typename }', variables: { a: null } },
    shows: ({ parts: [, got] }, { variables }) => got === 'null' && Object.values(variables ?? {}).includes(null),
  },
  {
    name: 'null for a variable with a default is false to @skip and @include',
    kind: 'accepted',
    request: { query: 'query ($a: Boolean = true) { __typename @skip(if: $a) b: __typename }', variables: { a: null } },
    shows: (_, { query, variables }) =>
      /@(skip|include)\(if: \$/.test(query) && Object.values(variables ?? {}).includes(null),
  },
  // Lists of different lengths are the same value to the validator when it looks for fields that cannot merge.
  {
    name: 'fields whose arguments are lists of different lengths are merged',
    kind: 'accepted',
    request: { query: '{ nodes(ids: []) { id } nodes(ids: ["x"]) { id } }' },
    shows: ({ detail }) => /conflict because they have differing arguments/.test(detail),
  },
];
