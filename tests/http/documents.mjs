// Makes documents up that are valid, or nearly always so, for the schema and for the data that is there.
import {
  GraphQLBoolean,
  GraphQLEnumType,
  GraphQLInputObjectType,
  GraphQLNonNull,
  getNamedType,
  getNullableType,
  isAbstractType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
} from 'graphql';

const BOOLEAN = new GraphQLNonNull(GraphQLBoolean);
const MAX_DEPTH = 4;
const MAX_FIELDS = 40;
/** Rows that an answer may have, pages multiplied: below what a limit of the server would refuse. */
const MAX_ROWS = 120;
const DEFAULT_PAGE = 20;

/** What the resolvers of reference.mjs leave out. */
const LEFT_OUT = {
  fields: ['facets', 'auditLog', 'block', 'blockStatus', 'subscriptions', 'replyTo', 'cost', 'totalCost', 'mergePreview', 'stoppedAt', 'deletion', 'deletions', 'erasureCheck', 'maskedEmail', 'maskedPhoneNumber', 'piiMasked', 'viewer', 'tokens'],
  arguments: ['search'],
  inputs: ['name', 'email', 'cost', 'totalCost', 'stoppedAt', 'blockedAt', 'blockedUntil'],
  orders: ['NAME', 'COST', 'TOTAL_MESSAGES_SENT'],
};

const INTROSPECTION = [
  '__schema { queryType { name kind } mutationType { name } subscriptionType { name } }',
  '__schema { __typename queryType { __typename name description } }',
  '__type(name: "Node") { kind name description fields { name type { kind name ofType { kind name } } } }',
  '__type(name: "Session") { name interfaces { name } fields { name description type { kind name ofType { kind name } } } }',
  '__type(name: "Platform") { kind enumValues { name description } inputFields { name } }',
  '__type(name: "IntFilter") { kind inputFields { name defaultValue type { kind name ofType { kind ofType { name } } } } fields { name } }',
  '__type(name: "DateTime") { kind name specifiedByURL }',
  '__type(name: "Nothing") { name }',
];

/** A request: `query`, `variables`, `operationName`. */
export function makeRequest(random, schema, data) {
  const maker = {
    random,
    schema,
    facts: facts(data),
    variables: [],
    values: {},
    fragments: [],
    repeats: new Map(),
    fields: 0,
    aliases: 0,
  };
  const name = random.chance(0.5) ? 'Main' : '';
  const body = selectionSet(maker, schema.getQueryType(), random.between(1, MAX_DEPTH), 1);
  const definitions = maker.variables.map(
    ({ name, type, start }) => `$${name}: ${type}${start === undefined ? '' : ` = ${start}`}`,
  );
  const head =
    name || definitions.length > 0 || random.chance(0.3)
      ? `query ${name}${definitions.length > 0 ? `(${definitions.join(', ')})` : ''} `
      : '';
  const parts = [`${head}${body}`, ...maker.fragments.map(({ text }) => text)];
  if (name && random.chance(0.2)) parts.push('query Other { __typename }');
  shuffle(random, parts);
  const request = { query: parts.join('\n'), variables: maker.values };
  if (name && (parts.some((part) => part.startsWith('query Other')) || random.chance(0.3)))
    request.operationName = name;
  return request;
}

function shuffle(random, list) {
  for (let at = list.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [list[at], list[other]] = [list[other], list[at]];
  }
}

/** Values that occur in the data, by what they can be given for. */
function facts({ rows, cursors }) {
  const ids = Object.fromEntries(Object.entries(rows).map(([noun, list]) => [noun, list.map(({ id }) => id)]));
  const texts = rows.Session.flatMap((row) => [row.externalId, row.language, ...row.tags])
    .concat(
      rows.ChatUser.flatMap((row) => [row.platformId, ...row.tags]),
      rows.Message.slice(0, 40).map(({ text }) => text.slice(2, 8)),
    )
    .filter((text) => text);
  return { ids, rows, cursors, texts, times: rows.Session.map(({ startedAt }) => startedAt) };
}

// ---------------------------------------------------------------------------------------------- selections

function selectionSet(maker, type, depth, rows) {
  const { random } = maker;
  const selections = Array.from({ length: random.between(1, depth === MAX_DEPTH ? 3 : 5) }, () =>
    selection(maker, type, depth, rows),
  );
  return `{ ${selections.join(random.pick([' ', ' ', ', ', '\n', ' # a note\n']))} }`;
}

function selection(maker, type, depth, rows) {
  const { random } = maker;
  const leaves = fieldsOf(type).filter((field) => isLeafType(getNamedType(field.type)));
  const composites = fieldsOf(type).filter((field) => !leaves.includes(field));
  const room = depth > 0 && maker.fields < MAX_FIELDS;
  const kind = random.weighted([
    [Math.min(6, leaves.length), 'leaf'],
    [composites.length > 0 && room ? 5 : 0, 'composite'],
    [room && maker.repeats.has(type.name) ? 1.5 : 0, 'repeat'],
    [1, '__typename'],
    [type === maker.schema.getQueryType() && room ? 0.5 : 0, 'introspection'],
    [room ? 1.5 : 0, 'inline'],
    [room ? 1 : 0, 'spread'],
  ]);
  maker.fields += 1;
  if (kind === '__typename') return `${alias(maker, '__typename')}__typename${directives(maker)}`;
  if (kind === 'introspection')
    return `${random.chance(0.7) ? `i${(maker.aliases += 1)}: ` : ''}${random.pick(INTROSPECTION)}`;
  if (kind === 'inline') return inlineFragment(maker, type, depth - 1, rows);
  if (kind === 'spread') return spread(maker, type, depth - 1, rows);
  if (kind === 'repeat') {
    const { head, field, rows: many } = random.pick(maker.repeats.get(type.name));
    return rows * many > MAX_ROWS
      ? '__typename'
      : `${head} ${selectionSet(maker, getNamedType(field.type), depth - 1, rows * many)}`;
  }
  return fieldText(maker, type, random.pick(kind === 'leaf' ? leaves : composites), depth, rows);
}

function fieldsOf(type) {
  return Object.values(type.getFields()).filter(({ name }) => !LEFT_OUT.fields.includes(name));
}

function fieldText(maker, parent, field, depth, rows) {
  const { random } = maker;
  const type = getNamedType(field.type);
  if (isLeafType(type)) return `${alias(maker, field.name)}${field.name}${directives(maker)}`;
  const paged = field.args.some(({ name }) => name === 'first');
  const page = paged ? pageArguments(maker, field, parent, rows) : { rows: 1, given: {} };
  const given = argumentsOf(maker, field, parent, page.given);
  // Two calls with other arguments under one name cannot be merged: most calls have a name of their own.
  const name = given && random.chance(0.85) ? `a${(maker.aliases += 1)}: ` : alias(maker, field.name);
  const head = `${name}${field.name}${given}`;
  if (!maker.repeats.has(parent.name)) maker.repeats.set(parent.name, []);
  maker.repeats.get(parent.name).push({ head, field, rows: page.rows });
  return `${head}${directives(maker)} ${selectionSet(maker, type, depth - 1, rows * page.rows)}`;
}

/** Now and then another name, the same for the same field, so that some merge. */
function alias(maker, name) {
  if (!maker.random.chance(0.15)) return '';
  return `${maker.random.pick(['x', 'y'])}_${name.replaceAll('_', '')}: `;
}

function inlineFragment(maker, type, depth, rows) {
  const condition = typeCondition(maker, type);
  return `...${condition ? ` on ${condition}` : ''}${directives(maker)} ${selectionSet(maker, condition ?? type, depth, rows)}`;
}

/** A type whose values may be values of this one; null for no condition. */
function typeCondition({ random, schema }, type) {
  if (isAbstractType(type)) return random.chance(0.8) ? random.pick(schema.getPossibleTypes(type)) : type;
  const above = type.getInterfaces();
  if (above.length > 0 && random.chance(0.2)) return random.pick(above);
  return random.chance(0.5) ? type : null;
}

function spread(maker, type, depth, rows) {
  const { random, fragments } = maker;
  const ready = fragments.filter(
    (fragment) => fragment.on === type.name && rows * fragment.rows <= MAX_ROWS && fragment.text,
  );
  let fragment = ready.length > 0 && random.chance(0.4) ? random.pick(ready) : null;
  if (!fragment) {
    const on = typeCondition(maker, type) ?? type;
    fragment = { name: `F${fragments.length}`, on: on.name, rows: MAX_ROWS, text: '' };
    fragments.push(fragment);
    fragment.text = `fragment ${fragment.name} on ${on.name} ${selectionSet(maker, on, depth, rows)}`;
    // It may hold pages: it is used again only where as many rows were allowed for.
    fragment.rows = rows === 1 ? 1 : MAX_ROWS;
  }
  return `...${fragment.name}${directives(maker)}`;
}

function directives(maker) {
  const { random } = maker;
  if (!random.chance(0.07)) return '';
  const condition = (likely) => {
    const value = random.chance(0.75) ? likely : !likely;
    return random.chance(0.4) ? variable(maker, BOOLEAN, value) : String(value);
  };
  const skip = () => ` @skip(if: ${condition(false)})`;
  const include = () => ` @include(if: ${condition(true)})`;
  return random.weighted([
    [4, skip],
    [4, include],
    [1, () => skip() + include()],
    [1, () => include() + skip()],
  ])();
}

// ---------------------------------------------------------------------------------------------- arguments

/** `first` or `last`, `offset`, `after`, `before`, `orderBy`; and how many rows that may give. Some are mistakes. */
function pageArguments(maker, field, parent, rows) {
  const { random } = maker;
  const given = {};
  const most = Math.max(1, Math.min(6, Math.floor(MAX_ROWS / rows)));
  let size = random.between(0, most);
  if (rows * DEFAULT_PAGE <= MAX_ROWS && random.chance(0.3)) size = DEFAULT_PAGE;
  else given[random.chance(0.75) ? 'first' : 'last'] = size;
  if (random.chance(0.05))
    Object.assign(
      given,
      random.pick([
        { first: -1 },
        { last: 101 },
        { first: 1, last: 1 },
        { first: 1000 },
        { offset: -2 },
        { last: null },
        { after: 'nonsense' },
      ]),
    );
  if (random.chance(0.1)) given.offset ??= random.between(0, 3);
  const noun = getNamedType(field.type).name.replace('Connection', '');
  if (random.chance(0.25)) {
    const words = maker.schema
      .getType(`${noun}OrderField`)
      .getValues()
      .map(({ name }) => name)
      .filter((name) => !LEFT_OUT.orders.includes(name));
    given.orderBy = { field: random.pick(words) };
    if (random.chance(0.7)) given.orderBy.direction = random.pick(['ASC', 'DESC']);
  } else if (random.chance(0.2)) {
    const word = { Agent: 'CREATED_AT', ChatUser: 'LAST_MESSAGE_AT', Session: 'STARTED_AT', Message: 'SENT_AT' }[noun];
    const known = maker.facts.cursors.get(`${noun} ${word} ${noun === 'Message' ? 'ASC' : 'DESC'}`);
    given[random.pick(['after', 'before'])] ??= random.pick([...known.values()]);
    if (random.chance(0.3)) given[random.pick(['after', 'before'])] ??= random.pick([...known.values()]);
  }
  return { rows: Math.max(1, Math.min(size, 100)), given };
}

function argumentsOf(maker, field, parent, given) {
  const { random } = maker;
  const texts = [];
  for (const argument of field.args) {
    const { name, type } = argument;
    if (LEFT_OUT.arguments.includes(name)) continue;
    let value = given[name];
    if (value === undefined) {
      if (['first', 'last', 'offset', 'after', 'before', 'orderBy'].includes(name)) continue;
      if (!isNonNullType(type) && !random.chance(0.2)) continue;
      value = argumentValue(maker, field, name, type);
    }
    texts.push(`${name}: ${literal(maker, type, value, 0.3)}`);
  }
  shuffle(random, texts);
  return texts.length > 0 ? `(${texts.join(random.pick([', ', ' ']))})` : '';
}

function argumentValue(maker, field, name, type) {
  const { random, facts } = maker;
  const any = () => random.pick(Object.values(facts.ids).flat());
  if (name === 'id') {
    const noun = getNamedType(field.type).name;
    return random.chance(0.85) ? random.pick(facts.ids[noun] ?? [any()]) : random.pick([any(), 'nobody', '', 7]);
  }
  if (name === 'ids')
    return Array.from({ length: random.between(0, 4) }, () => (random.chance(0.9) ? any() : 'nobody'));
  if (name === 'agentId')
    return random.chance(0.85)
      ? random.pick(facts.ids.Agent)
      : random.pick([null, any(), 'nobody'].slice(isNonNullType(type) ? 1 : 0));
  if (name === 'platform') return random.pick(facts.rows.ChatUser).platform;
  if (name === 'platformId') return random.pick(facts.rows.ChatUser).platformId;
  return inputValue(maker, type, name, 0);
}

/** A value of any input type. */
function inputValue(maker, wrapped, name, depth) {
  const { random, facts } = maker;
  const type = getNullableType(wrapped);
  if (!isNonNullType(wrapped) && random.chance(0.05)) return null;
  if (isListType(type))
    return Array.from({ length: random.between(0, 3) }, () => inputValue(maker, type.ofType, name, depth + 1));
  if (type instanceof GraphQLInputObjectType) {
    const fields = Object.values(type.getFields()).filter((field) => {
      if (type.name.endsWith('Where') && LEFT_OUT.inputs.includes(field.name)) return false;
      return depth < 3 || !getNamedType(field.type).name.endsWith('Where');
    });
    const chosen = Array.from(
      {
        length: random.weighted([
          [1, 0],
          [8, 1],
          [3, 2],
        ]),
      },
      () => random.pick(fields),
    );
    return Object.fromEntries(
      chosen.map((field) => [field.name, inputValue(maker, field.type, field.name, depth + 1)]),
    );
  }
  if (type instanceof GraphQLEnumType) return random.pick(type.getValues()).name;
  switch (type.name) {
    case 'Int':
      return random.between(0, 12);
    case 'Boolean':
      return random.chance(0.5);
    case 'ID':
      return random.chance(0.8) ? random.pick(random.pick(Object.values(facts.ids))) : random.pick(['nobody', 12]);
    case 'DateTime':
      return random.pick(facts.times);
    default:
      return random.pick(facts.texts);
  }
}

/** A value as it stands in a document; now and then a variable in its place. */
function literal(maker, wrapped, value, variables) {
  const { random } = maker;
  if (random.chance(variables)) return variable(maker, wrapped, value);
  if (value === null) return 'null';
  const type = getNullableType(wrapped);
  if (isListType(type)) {
    if (!Array.isArray(value)) return literal(maker, type.ofType, value, 0);
    if (value.length === 1 && value[0] !== null && random.chance(0.2)) return literal(maker, type.ofType, value[0], 0);
    return `[${value.map((item) => literal(maker, type.ofType, item, 0.05)).join(', ')}]`;
  }
  if (isInputObjectType(type)) {
    const fields = type.getFields();
    return `{${Object.entries(value)
      .map(([name, inner]) => `${name}: ${literal(maker, fields[name].type, inner, 0.1)}`)
      .join(', ')}}`;
  }
  if (type instanceof GraphQLEnumType) return value;
  return JSON.stringify(value);
}

/** A new variable of this type with this value: given, left to its default, or null beside a default. */
function variable(maker, type, value) {
  const { random, variables, values } = maker;
  const typeText = String(type);
  const name = `v${variables.length}`;
  const required = typeText.endsWith('!');
  const definition = { name, type: typeText };
  variables.push(definition);
  const how = random.weighted([
    [6, 'given'],
    [1, 'stricter'],
    [1, 'default'],
    [0.5, 'both'],
    [0.5, 'absent'],
    [0.15, 'null'],
  ]);
  const nullable = required ? typeText.slice(0, -1) : typeText;
  if (how === 'stricter' && value !== null) definition.type = `${nullable}!`;
  if (value !== null && ['default', 'both', 'null'].includes(how))
    Object.assign(definition, { type: nullable, start: literal(steady(maker), type, value, 0) });
  if (how === 'absent' && !required) return `$${name}`;
  if (how === 'default' && definition.start !== undefined) return `$${name}`;
  values[name] = how === 'null' && (definition.start !== undefined || !required) ? null : value;
  return `$${name}`;
}

/** The same maker, without surprises: for default values, in which no variable may stand. */
function steady(maker) {
  return { ...maker, random: { ...maker.random, chance: () => false } };
}
