// Ways to break a valid request. Each changes the parsed document in place, or its text; some leave it valid after all.
import { Kind, parse, print, visit } from 'graphql';

const name = (value) => ({ kind: Kind.NAME, value });
const argument = (word, value) => ({ kind: Kind.ARGUMENT, name: name(word), value });
const directive = (word, ...given) => ({ kind: Kind.DIRECTIVE, name: name(word), arguments: given });
const int = (value) => ({ kind: Kind.INT, value });
const string = (value) => ({ kind: Kind.STRING, value });
const boolean = (value) => ({ kind: Kind.BOOLEAN, value });
const enumValue = (value) => ({ kind: Kind.ENUM, value });
const list = (...values) => ({ kind: Kind.LIST, values });
const object = (...fields) => ({ kind: Kind.OBJECT, fields });
const objectField = (word, value) => ({ kind: Kind.OBJECT_FIELD, name: name(word), value });
const variable = (word) => ({ kind: Kind.VARIABLE, name: name(word) });
const field = (word, selections) => ({
  kind: Kind.FIELD,
  name: name(word),
  arguments: [],
  directives: [],
  selectionSet: selections && { kind: Kind.SELECTION_SET, selections },
});
const spread = (word) => ({ kind: Kind.FRAGMENT_SPREAD, name: name(word), directives: [] });
const named = (word) => ({ kind: Kind.NAMED_TYPE, name: name(word) });
const inline = (type, ...selections) => ({
  kind: Kind.INLINE_FRAGMENT,
  typeCondition: type && named(type),
  directives: [],
  selectionSet: { kind: Kind.SELECTION_SET, selections },
});
const fragment = (word, on, ...selections) => ({
  kind: Kind.FRAGMENT_DEFINITION,
  name: name(word),
  typeCondition: named(on),
  directives: [],
  selectionSet: { kind: Kind.SELECTION_SET, selections },
});

const FIELDS = [
  'nothing',
  'name',
  'id',
  'nodes',
  'totalCount',
  'sessions',
  'externalId',
  '__typename',
  '__schema',
  '__type',
  'node',
];
const TYPES = [
  'Agent',
  'ChatUser',
  'Session',
  'Message',
  'Node',
  'Query',
  'AgentConnection',
  'PageInfo',
  'Nothing',
  'Platform',
  'IntFilter',
  'DateTime',
  'Attachment',
  '__Type',
];
const VARIABLE_TYPES = [
  'Int',
  'Int!',
  'String',
  'String!',
  'ID',
  'ID!',
  'Boolean',
  'Boolean!',
  '[ID!]',
  '[ID!]!',
  '[Int]',
  'Platform',
  'ChatUserWhere',
  'SessionOrder',
  'DateTime',
  'ChatUser',
  'Nothing',
  '[[ID!]!]',
];
const VALUES = [
  int('1'),
  int('-1'),
  int('99999999999'),
  { kind: Kind.FLOAT, value: '1.5' },
  { kind: Kind.FLOAT, value: '1.0' },
  { kind: Kind.FLOAT, value: '1e2' },
  string('x'),
  string('TELEGRAM'),
  string('2026-01-01T00:00:00Z'),
  string(''),
  boolean(true),
  { kind: Kind.NULL },
  enumValue('TELEGRAM'),
  enumValue('NOTHING'),
  list(),
  list(string('x')),
  list({ kind: Kind.NULL }),
  list(list(string('x'))),
  object(),
  object(objectField('eq', int('1'))),
  object(objectField('nothing', int('1'))),
  object(objectField('id', object(objectField('eq', string('x'))))),
  variable('undefined'),
];
const JSON_VALUES = [
  null,
  0,
  -1,
  1.5,
  99999999999,
  '',
  'x',
  'TELEGRAM',
  '2026-01-01T00:00:00Z',
  'yesterday',
  true,
  [],
  [null],
  ['x'],
  [['x']],
  {},
  { eq: 1 },
  { nothing: 1 },
  { id: { eq: 'x' } },
  { field: 'SENT_AT' },
  { direction: 'ASC' },
  { and: [{ id: null }] },
  { and: [null] },
];
const DIRECTIVES = [
  directive('nothing'),
  directive('skip'),
  directive('include', argument('if', { kind: Kind.NULL })),
  directive('include', argument('if', string('true'))),
  directive('skip', argument('if', boolean(false)), argument('unless', boolean(true))),
  directive('skip', argument('if', boolean(false)), argument('if', boolean(true))),
  directive('include', argument('if', variable('undefined'))),
  directive('deprecated'),
  directive('specifiedBy', argument('url', string('x'))),
  directive('skip', argument('if', boolean(true))),
];
const TOKENS = [
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  '$',
  '!',
  ':',
  '...',
  '@',
  '=',
  '|',
  '&',
  '"',
  '"""',
  '0',
  '01',
  '1.',
  '.5',
  '1e',
  '-',
  'on',
  'query',
  'fragment',
  'null',
  'é',
  '\u0000',
  '\ufeff',
  '\\',
  '#',
  '""',
  '"\\x"',
  '"\\u{1F600}"',
  '"\\uD83D"',
  '"a\nb"',
  'subscription',
  'type X { a: Int }',
  '?',
  '%',
];

/** Nodes of these kinds, anywhere in the document. */
function all(document, ...kinds) {
  const found = [];
  visit(document, { enter: (node) => void (kinds.includes(node.kind) && found.push(node)) });
  return found;
}

const set = (node, key, value) => (node[key] = [...(node[key] ?? []), value]);
const selections = (document) => all(document, Kind.SELECTION_SET);
const operations = (document) => all(document, Kind.OPERATION_DEFINITION);
const fragments = (document) => all(document, Kind.FRAGMENT_DEFINITION);
/** A mutation of one node of a kind. */
const each = (kinds, change) => (document, random, request) => {
  const nodes = all(document, ...[kinds].flat());
  if (nodes.length > 0) change(random.pick(nodes), random, document, request);
};
const insert = (what) =>
  each(Kind.SELECTION_SET, (node, random, document) => {
    node.selections = [...node.selections];
    node.selections.splice(random.below(node.selections.length + 1), 0, what(random, document));
  });

/** Changes of the parsed document, by name. */
export const MUTATIONS = {
  fieldName: each(Kind.FIELD, (node, random) => (node.name = name(random.pick(FIELDS)))),
  fieldAdded: insert((random) => field(random.pick(FIELDS))),
  fieldWithSelectionAdded: insert((random) => field(random.pick(FIELDS), [field(random.pick(FIELDS))])),
  alias: each(
    Kind.FIELD,
    (node, random, document) => (node.alias = name(random.pick(all(document, Kind.FIELD)).name.value)),
  ),
  aliasDropped: each(Kind.FIELD, (node) => delete node.alias),
  conflictingLeaves: insert((random) => ({
    ...field(random.pick(['id', 'name', 'externalId', 'totalCount', 'platform'])),
    alias: name('x'),
  })),
  selectionOnLeaf: each(Kind.FIELD, (node) => (node.selectionSet ??= field('x', [field('x')]).selectionSet)),
  selectionDropped: each(Kind.FIELD, (node) => delete node.selectionSet),
  argumentName: each(
    Kind.ARGUMENT,
    (node, random) => (node.name = name(random.pick(['nothing', 'id', 'first', 'last', 'where', 'if']))),
  ),
  argumentValue: each(Kind.ARGUMENT, (node, random) => (node.value = random.pick(VALUES))),
  argumentDropped: each(Kind.FIELD, (node) => (node.arguments = node.arguments.slice(1))),
  argumentTwice: each(
    [Kind.FIELD, Kind.DIRECTIVE],
    (node) => (node.arguments = [...node.arguments, ...node.arguments.slice(0, 1)]),
  ),
  argumentAdded: each(Kind.FIELD, (node, random) =>
    set(
      node,
      'arguments',
      argument(random.pick(['nothing', 'first', 'where', 'id', 'ids', 'platform', 'orderBy']), random.pick(VALUES)),
    ),
  ),
  value: each([Kind.INT, Kind.STRING, Kind.ENUM, Kind.BOOLEAN, Kind.LIST, Kind.OBJECT], (node, random) =>
    Object.assign(node, random.pick(VALUES)),
  ),
  inputFieldTwice: each(Kind.OBJECT, (node) => (node.fields = [...node.fields, ...node.fields.slice(0, 1)])),
  inputFieldDropped: each(Kind.OBJECT, (node) => (node.fields = node.fields.slice(1))),
  inputFieldAdded: each(Kind.OBJECT, (node, random) =>
    set(
      node,
      'fields',
      objectField(random.pick(['nothing', 'eq', 'in', 'and', 'not', 'id', 'field']), random.pick(VALUES)),
    ),
  ),
  variableUndefined: each(Kind.VARIABLE, (node) => (node.name = name('undefined'))),
  variableDefinitionDropped: each(
    Kind.OPERATION_DEFINITION,
    (node) => (node.variableDefinitions = (node.variableDefinitions ?? []).slice(1)),
  ),
  variableTwice: each(
    Kind.OPERATION_DEFINITION,
    (node) =>
      (node.variableDefinitions = [
        ...(node.variableDefinitions ?? []),
        ...(node.variableDefinitions ?? []).slice(0, 1),
      ]),
  ),
  variableUnused: each(Kind.OPERATION_DEFINITION, (node, random) =>
    set(node, 'variableDefinitions', definition('unused', random)),
  ),
  variableType: each(Kind.VARIABLE_DEFINITION, (node, random) => (node.type = typeOf(random.pick(VARIABLE_TYPES)))),
  variableDefault: each(Kind.VARIABLE_DEFINITION, (node, random) => (node.defaultValue = random.pick(VALUES))),
  variableDirective: each(Kind.VARIABLE_DEFINITION, (node, random) => set(node, 'directives', random.pick(DIRECTIVES))),
  variableValue: (_, random, request) => {
    const names = Object.keys(request.variables);
    if (names.length > 0) request.variables = { ...request.variables, [random.pick(names)]: random.pick(JSON_VALUES) };
  },
  variableValueDropped: (_, random, request) => {
    const names = Object.keys(request.variables);
    if (names.length > 0) request.variables = { ...request.variables, [random.pick(names)]: undefined };
  },
  variableValueAdded: (_, random, request) =>
    (request.variables = { ...request.variables, extra: random.pick(JSON_VALUES) }),
  operationName: (_, random, request) =>
    (request.operationName = random.pick(['Nothing', 'Main', 'Other', '', undefined])),
  operationTwice: (document, random) =>
    (document.definitions = [...document.definitions, random.pick(operations(document))]),
  operationAnonymous: each(Kind.OPERATION_DEFINITION, (node) => delete node.name),
  operationKind: each(
    Kind.OPERATION_DEFINITION,
    (node, random) => (node.operation = random.pick(['mutation', 'subscription'])),
  ),
  operationDirective: each([Kind.OPERATION_DEFINITION, Kind.FRAGMENT_DEFINITION], (node, random) =>
    set(node, 'directives', random.pick(DIRECTIVES)),
  ),
  operationsDropped: (document) => (document.definitions = fragments(document)),
  fragmentUnknown: insert(() => spread('Nothing')),
  fragmentUnused: (document, random) =>
    (document.definitions = [...document.definitions, fragment('Unused', random.pick(TYPES), field('id'))]),
  fragmentTwice: (document) => (document.definitions = [...document.definitions, ...fragments(document).slice(0, 1)]),
  fragmentDropped: (document) =>
    (document.definitions = document.definitions.filter((node) => node !== fragments(document)[0])),
  fragmentType: each(
    [Kind.FRAGMENT_DEFINITION, Kind.INLINE_FRAGMENT],
    (node, random) => (node.typeCondition = named(random.pick(TYPES))),
  ),
  fragmentImpossible: insert((random) =>
    inline(random.pick(TYPES), field(random.pick(['id', '__typename', 'nothing']))),
  ),
  fragmentCycle: each(Kind.FRAGMENT_DEFINITION, (node, random, document) => {
    const inside = random.pick(selections({ kind: Kind.DOCUMENT, definitions: [node] }));
    inside.selections = [...inside.selections, spread(random.pick(fragments(document)).name.value)];
  }),
  fragmentCycleUnreached: (document) =>
    (document.definitions = [
      ...document.definitions,
      fragment('X', 'Query', spread('Y')),
      fragment('Y', 'Query', field('__typename'), spread('X')),
    ]),
  directive: each([Kind.FIELD, Kind.INLINE_FRAGMENT, Kind.FRAGMENT_SPREAD], (node, random) =>
    set(node, 'directives', random.pick(DIRECTIVES)),
  ),
  directiveTwice: each(
    [Kind.FIELD, Kind.INLINE_FRAGMENT, Kind.FRAGMENT_SPREAD],
    (node) => (node.directives = [...(node.directives ?? []), ...(node.directives ?? []).slice(0, 1)]),
  ),
  directiveArgument: each(
    Kind.DIRECTIVE,
    (node, random) =>
      (node.arguments = random.pick([[], [argument('if', random.pick(VALUES))], [argument('nothing', boolean(true))]])),
  ),
  selectionTwice: each(Kind.SELECTION_SET, (node, random) =>
    set(node, 'selections', structuredClone(random.pick(node.selections))),
  ),
  selectionMoved: each(Kind.SELECTION_SET, (node, random, document) =>
    set(node, 'selections', structuredClone(random.pick(random.pick(selections(document)).selections))),
  ),
};

/** Changes of the text, by name. */
export const TEXT_MUTATIONS = {
  tokenAdded: (text, random) =>
    at(text, random, (place) => `${text.slice(0, place)} ${random.pick(TOKENS)} ${text.slice(place)}`),
  characterDropped: (text, random) => at(text, random, (place) => text.slice(0, place) + text.slice(place + 1)),
  characterTwice: (text, random) => at(text, random, (place) => text.slice(0, place + 1) + text.slice(place)),
  cutOff: (text, random) => at(text, random, (place) => text.slice(0, place)),
  emptySelection: (text, random) => text.replace(/\{/, random.pick(['{}{', '{{', '{ }'])),
  typeDefinition: (text, random) =>
    `${text}\n${random.pick(['type X { a: Int }', 'extend type Query { a: Int }', 'schema { query: Query }', 'scalar X'])}`,
  byteOrderMark: (text) => `\ufeff${text}`,
};

const at = (text, random, change) => change(random.below(text.length + 1));

function typeOf(text) {
  return parse(`query ($a: ${text}) { a }`, { noLocation: true }).definitions[0].variableDefinitions[0].type;
}

function definition(word, random) {
  return {
    kind: Kind.VARIABLE_DEFINITION,
    variable: variable(word),
    type: typeOf(random.pick(VARIABLE_TYPES)),
    directives: [],
  };
}

/** A request with one or two things wrong with it, and their names. */
export function breakRequest(random, request) {
  const broken = { ...request, mutations: [] };
  const times = random.chance(0.8) ? 1 : 2;
  for (let time = 0; time < times; time += 1) {
    if (random.chance(0.85)) changeDocument(random, broken);
    else changeText(random, broken);
  }
  return broken;
}

function changeDocument(random, request) {
  let document;
  try {
    document = structuredClone(parse(request.query, { noLocation: true }));
  } catch {
    return;
  }
  const word = random.pick(Object.keys(MUTATIONS));
  request.mutations.push(word);
  MUTATIONS[word](document, random, request);
  const text = print(document);
  // Values that are only in the variables leave the text, with its notes and commas, as it is.
  if (!word.startsWith('variableValue') && word !== 'operationName') request.query = text;
}

function changeText(random, request) {
  const word = random.pick(Object.keys(TEXT_MUTATIONS));
  request.mutations.push(word);
  request.query = TEXT_MUTATIONS[word](request.query, random);
}
