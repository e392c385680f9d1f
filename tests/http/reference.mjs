// The graph as graphql-js executes it: hand-written resolvers over plain objects, which are read through the server once.
// Only what documents.mjs asks for is here; a document that asks for more is said to be outside.
import { readFile } from 'node:fs/promises';

import {
  GraphQLError,
  GraphQLScalarType,
  buildSchema,
  execute,
  isLeafType,
  getNamedType,
  parse,
  validate,
} from 'graphql';

import { ask } from '../server.mjs';

const CAP = 100;
const DEFAULT = 20;
const MAX_WHERE_DEPTH = 5;

/** How each noun's lists can be ordered: the field behind a word, and whether it is offered across all agents. */
const ORDERS = {
  Agent: {
    CREATED_AT: { key: 'createdAt', everywhere: true },
    TOTAL_USERS: { key: 'totalUsers', everywhere: true },
    TOTAL_SESSIONS: { key: 'totalSessions', everywhere: true },
    TOTAL_MESSAGES: { key: 'totalMessages', everywhere: true },
  },
  ChatUser: {
    LAST_MESSAGE_AT: { key: 'lastMessageAt', everywhere: true },
    CREATED_AT: { key: 'createdAt', everywhere: true },
    LAST_INTERACTION_AT: { key: 'lastInteractionAt', everywhere: true },
    TOTAL_SESSIONS: { key: 'totalSessions' },
    TOTAL_CHAT_MESSAGES: { key: 'totalChatMessages' },
  },
  Session: {
    STARTED_AT: { key: 'startedAt', everywhere: true },
    LAST_MESSAGE_AT: { key: 'lastMessageAt', everywhere: true },
    TOTAL_MESSAGES: { key: 'totalMessages' },
  },
  Message: { SENT_AT: { key: 'sentAt', everywhere: true, ascending: true } },
};

/** A document that asks for what is not here. */
class Outside extends Error {}

/** The schema of the file, with the one scalar that looks at its values. */
export async function readSchema() {
  const sdl = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
  const schema = buildSchema(sdl);
  const { DateTime } = schema.getTypeMap();
  if (!(DateTime instanceof GraphQLScalarType)) throw new Error('the schema has no DateTime');
  DateTime.parseValue = (value) => {
    if (typeof value !== 'string' || micros(value) === null) throw new GraphQLError('not a DateTime');
    return value;
  };
  DateTime.parseLiteral = (node) => DateTime.parseValue(node.kind === 'StringValue' ? node.value : null);
  return schema;
}

const INSTANT = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$/;

/** Microseconds since 1970; null for what is not a time. */
function micros(text) {
  const [, seconds, fraction = '', offset] = INSTANT.exec(text) ?? [];
  const millis = seconds === undefined ? NaN : Date.parse(`${seconds}${offset}`.toUpperCase());
  return Number.isNaN(millis) ? null : BigInt(millis) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}

// ---------------------------------------------------------------------------------------------- reading the data

/** Everything that the server holds, as plain objects with their relations, and the cursors of every list. */
export async function readData(url, schema) {
  const query = async (text, variables) => {
    const { body } = await ask(url, { query: text, variables });
    if (body.errors) throw new Error(`${text}\n${JSON.stringify(body.errors)}`);
    return body.data;
  };
  const everything = (head, selection) => readList(query, head, selection);

  const agents = await everything(['agents'], leaves(schema, 'Agent'));
  const users = await everything(
    ['chatUsers'],
    `${leaves(schema, 'ChatUser')} agent { id } lastReceivedMessage { id }`,
  );
  const sessions = await everything(['sessions'], `${leaves(schema, 'Session')} agent { id } chatUser { id }`);
  const messages = [];
  for (const { id } of users) {
    messages.push(
      ...(await everything(
        [`chatUser(id: "${id}")`, 'messages'],
        `${leaves(schema, 'Message')} session { id } chatUser { id }`,
      )),
    );
  }
  const rows = { Agent: agents, ChatUser: users, Session: sessions, Message: messages };
  const cursors = Object.assign(new Map(), { rows });
  for (const [noun, orders] of Object.entries(ORDERS)) {
    for (const [field, { everywhere }] of Object.entries(orders)) {
      for (const direction of ['ASC', 'DESC']) {
        const argument = `orderBy: { field: ${field}, direction: ${direction} }`;
        const lists = listsOf(noun, everywhere, rows);
        const edges = [];
        for (const head of lists) edges.push(...(await readList(query, head, '', argument)));
        cursors.set(`${noun} ${field} ${direction}`, new Map(edges));
      }
    }
  }
  return relate(rows, cursors);
}

/** The lists that together hold every row of a noun. */
function listsOf(noun, everywhere, { Agent, ChatUser }) {
  const list = { Agent: 'agents', ChatUser: 'chatUsers', Session: 'sessions', Message: 'messages' }[noun];
  if (noun === 'Message') return ChatUser.map(({ id }) => [`chatUser(id: "${id}")`, list]);
  return everywhere ? [[list]] : Agent.map(({ id }) => [`agent(id: "${id}")`, list]);
}

/** All rows of a list, page by page; [id, cursor] of each when no selection is given. */
async function readList(query, head, selection, argument = '') {
  const rows = [];
  for (let after = null; ;) {
    const list = `${head.at(-1)}(first: ${CAP}, after: $after, ${argument})`;
    const fields = selection ? `nodes { ${selection} }` : 'edges { cursor node { id } }';
    const inner = `list: ${list} { ${fields} pageInfo { hasNextPage endCursor } }`;
    const text = head.length > 1 ? `{ list: ${head[0]} { ${inner} } }` : `{ ${inner} }`;
    const data = await query(`query ($after: String) ${text}`, { after });
    const { nodes, edges, pageInfo } = head.length > 1 ? data.list.list : data.list;
    rows.push(...(nodes ?? edges.map(({ cursor, node }) => [node.id, cursor])));
    if (!pageInfo.hasNextPage) return rows;
    after = pageInfo.endCursor;
  }
}

/** The fields of a type that have neither arguments nor relations behind them. */
function leaves(schema, name) {
  return Object.values(schema.getType(name).getFields())
    .filter((field) => field.args.length === 0)
    .map((field) => {
      const type = getNamedType(field.type);
      if (isLeafType(type)) return field.name;
      return type.name === 'Attachment' ? `${field.name} { ${leaves(schema, 'Attachment')} }` : '';
    })
    .join(' ');
}

/** Puts the resolvers of relations in the place of ids. */
function relate(rows, cursors) {
  const byId = new Map();
  for (const [noun, list] of Object.entries(rows)) {
    for (const row of list) byId.set(row.id, Object.assign(row, { __typename: noun }));
  }
  const find = (id, noun) => {
    const row = byId.get(id);
    return row && (noun === undefined || row.__typename === noun) ? row : null;
  };
  const one = (reference) => {
    const row = reference && find(reference.id);
    return () => row;
  };
  const many = (noun, parent, row) => {
    const mine = () => rows[noun].filter((child) => child.parents[parent] === row.id);
    return (args) => connection(noun, mine(), args, cursors);
  };
  for (const row of rows.ChatUser) row.parents = { agent: row.agent.id };
  for (const row of rows.Session) row.parents = { agent: row.agent.id, chatUser: row.chatUser.id };
  for (const row of rows.Message) row.parents = { session: row.session.id, chatUser: row.chatUser.id };
  for (const row of rows.Agent) {
    row.chatUsers = many('ChatUser', 'agent', row);
    row.sessions = many('Session', 'agent', row);
  }
  for (const row of rows.ChatUser) {
    row.agent = one(row.agent);
    row.lastReceivedMessage = one(row.lastReceivedMessage);
    row.sessions = many('Session', 'chatUser', row);
    row.messages = many('Message', 'chatUser', row);
  }
  for (const row of rows.Session) {
    row.agent = one(row.agent);
    row.chatUser = one(row.chatUser);
    row.messages = many('Message', 'session', row);
  }
  for (const row of rows.Message) {
    row.session = one(row.session);
    row.chatUser = one(row.chatUser);
  }
  return { rows, cursors, root: root(rows, find, cursors) };
}

/** The fields of `Query`. */
function root(rows, find, cursors) {
  const ofAgent = (noun) => (args) => {
    const { agentId = null, orderBy } = args;
    if (agentId === null && orderBy && !ORDERS[noun][orderBy.field]?.everywhere) {
      outsideUnless(ORDERS[noun][orderBy.field]);
      throw new GraphQLError('offered within one agent only');
    }
    const list = agentId === null ? rows[noun] : rows[noun].filter((row) => row.parents.agent === agentId);
    return connection(noun, list, args, cursors);
  };
  return {
    node: ({ id }) => find(id),
    nodes: ({ ids }) => {
      if (ids.length > 100) throw new GraphQLError('too many ids');
      return ids.map((id) => find(id));
    },
    agent: ({ id }) => find(id, 'Agent'),
    agents: (args) => connection('Agent', rows.Agent, args, cursors),
    chatUser: ({ id }) => find(id, 'ChatUser'),
    chatUserByPlatformId: ({ agentId, platform, platformId }) =>
      rows.ChatUser.find(
        (row) => row.parents.agent === agentId && row.platform === platform && row.platformId === platformId,
      ) ?? null,
    chatUsers: ofAgent('ChatUser'),
    session: ({ id }) => find(id, 'Session'),
    sessions: ofAgent('Session'),
  };
}

// ---------------------------------------------------------------------------------------------- lists

/** A list by pages, of rows that are in no order yet. */
function connection(noun, rows, args, cursors) {
  outsideUnless((args.search ?? null) === null);
  const order = orderOf(noun, args.orderBy);
  const known = cursors.get(`${noun} ${order.word} ${order.descending ? 'DESC' : 'ASC'}`);
  const { size, backward, offset } = pageOf(args);
  const all = rows
    .filter((row) => ((args.platform ?? null) === null || row.platform === args.platform) && holds(args.where, row))
    .sort(order.compare);
  // A cursor names a row of its order, which need not be in this list.
  const place = (cursor, everyone) => {
    if ((cursor ?? null) === null) return null;
    const id = [...known].find(([, text]) => text === cursor)?.[0];
    if (id === undefined) throw new GraphQLError('not a cursor');
    return everyone.find((row) => row.id === id);
  };
  const everyone = cursors.rows[noun];
  const after = place(args.after, everyone);
  const before = place(args.before, everyone);
  const between = all.filter(
    (row) => (!after || order.compare(row, after) > 0) && (!before || order.compare(row, before) < 0),
  );
  const end = between.length - offset;
  const page = backward
    ? between.slice(Math.max(0, end - size), Math.max(0, end))
    : between.slice(offset, offset + size);
  const more = between.length > offset + size;
  const [start, far] = backward ? [before, after] : [after, before];
  const passed = (bound, inclusive) =>
    all.some((row) => {
      const side = bound ? order.compare(row, bound) * (backward ? -1 : 1) : -1;
      return side < 0 || (inclusive && side === 0);
    });
  const otherSide = () => {
    if (offset > 0 && page.length > 0) return true;
    if (offset === 0) return start ? passed(start, true) : false;
    // The offset has passed all that lies before the far end, and without one all there is.
    return far ? Boolean((start && passed(start, true)) || passed(far, false)) : passed(null, false);
  };
  const cursor = (row) => (row ? known.get(row.id) : null);
  return {
    __typename: `${noun}Connection`,
    edges: () => page.map((row) => ({ __typename: `${noun}Edge`, cursor: cursor(row), node: () => row })),
    nodes: () => page,
    totalCount: () => all.length,
    pageInfo: () => ({
      __typename: 'PageInfo',
      hasNextPage: () => (backward ? otherSide() : more),
      hasPreviousPage: () => (backward ? more : otherSide()),
      startCursor: () => cursor(page[0]),
      endCursor: () => cursor(page.at(-1)),
    }),
  };
}

function outsideUnless(known) {
  if (!known) throw new Outside();
}

/** Which part of a list is asked for; refuses what cannot be. */
function pageOf({ first = null, last = null, offset = null }) {
  if (first !== null && last !== null) throw new GraphQLError('first and last');
  const size = first ?? last ?? DEFAULT;
  if (size < 0 || size > CAP || offset < 0) throw new GraphQLError('not a page');
  return { size, backward: last !== null, offset: offset ?? 0 };
}

/** How to compare rows: what is missing comes last in both directions, ties go by id. */
function orderOf(noun, orderBy) {
  const [word, field] = orderBy ? [orderBy.field, ORDERS[noun][orderBy.field]] : Object.entries(ORDERS[noun])[0];
  outsideUnless(field);
  const descending = orderBy?.direction ? orderBy.direction === 'DESC' : !field.ascending;
  const value = (row) => {
    const key = row[field.key];
    return typeof key === 'string' ? micros(key) : key;
  };
  const compare = (a, b) => {
    const [left, right] = [value(a), value(b)];
    if ((left === null) !== (right === null)) return left === null ? 1 : -1;
    const up = left === right ? sign(a.id, b.id) : sign(left, right);
    return descending ? -up : up;
  };
  return { word, descending, compare };
}

const sign = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** Whether a `where` holds for a row. A comparison with what is missing is false; `not` is the complement. */
function holds(where, row, depth = 1) {
  if ((where ?? null) === null) return true;
  if (depth > MAX_WHERE_DEPTH) throw new GraphQLError('too deep');
  // Every branch is looked at, for a mistake in one counts even where another decides.
  const results = Object.entries(where).map(([name, given]) => {
    if (given === null) return true;
    if (name === 'not') return !holds(given, row, depth + 1);
    const each = () => given.map((inner) => holds(inner, row, depth + 1));
    if (name === 'and') return !each().includes(false);
    if (name === 'or') return each().includes(true);
    // Names and addresses are compared in a normal form that is not rebuilt here.
    outsideUnless(name !== 'name' && name !== 'email');
    const value = name === 'chatUserId' ? row.parents.chatUser : row[name];
    outsideUnless(value !== undefined);
    return Object.entries(given).every(([operator, operand]) => operand === null || matches(operator, value, operand));
  });
  return !results.includes(false);
}

function matches(operator, value, operand) {
  if (operator === 'isNull') return (value === null) === operand;
  if (operator === 'notIn') return value === null || !operand.includes(value);
  if (value === null) return false;
  const time = typeof value === 'string' && typeof operand === 'string' && micros(value) !== null;
  const [left, right] = time ? [micros(value), micros(operand)] : [value, operand];
  switch (operator) {
    case 'eq':
      return left === right;
    case 'gt':
      return left > right;
    case 'gte':
      return left >= right;
    case 'lt':
      return left < right;
    case 'lte':
      return left <= right;
    case 'in':
      return operand.includes(value);
    case 'contains':
      return value.includes(operand);
    case 'startsWith':
      return value.startsWith(operand);
    case 'has':
      return value.includes(operand);
    case 'hasAll':
      return operand.every((tag) => value.includes(tag));
    case 'hasAny':
      return operand.some((tag) => value.includes(tag));
    default:
      throw new Outside();
  }
}

// ---------------------------------------------------------------------------------------------- answering

/**
 * What graphql-js makes of a request: `refused` with its messages, or the `data` and the paths of all fields that fail,
 * also of those whose error is dropped because a field above them is null already.
 */
export async function answer(schema, { root }, { query, variables: given, operationName }) {
  // As they arrive: what is undefined is not sent.
  const variables = given && JSON.parse(JSON.stringify(given));
  let document;
  try {
    document = parse(query);
  } catch (error) {
    return { refused: true, messages: [`Syntax: ${error.message}`] };
  }
  const mistakes = validate(schema, document);
  if (mistakes.length > 0) return { refused: true, messages: mistakes.map(({ message }) => message) };
  const context = { failures: [], outside: false };
  const result = await execute({
    schema,
    document,
    rootValue: root,
    contextValue: context,
    variableValues: variables,
    operationName,
    fieldResolver,
  });
  const { data, errors = [] } = result;
  const pathless = errors.length > 0 && errors.every(({ path }) => path === undefined);
  if (data === undefined || (data === null && pathless)) {
    return { refused: true, messages: errors.map(({ message }) => message) };
  }
  const known = new Set(context.failures.map((path) => JSON.stringify(path)));
  const inArguments = errors.filter(({ path }) => !known.has(JSON.stringify(path))).map(({ path }) => path);
  return {
    refused: false,
    outside: context.outside,
    data,
    failures: [...context.failures, ...inArguments],
    // graphql-js does not go on beside a field whose arguments it cannot read.
    complete: inArguments.length === 0,
    messages: errors.map(({ message }) => message),
  };
}

/** Waits where there is something to resolve, so that fields beside a failing one are asked as well. */
function fieldResolver(source, args, context, info) {
  const value = source[info.fieldName];
  if (value === undefined) context.outside = true;
  return typeof value === 'function' ? resolved(value, args, context, info) : value;
}

async function resolved(value, args, context, info) {
  try {
    return await value(args);
  } catch (error) {
    if (error instanceof Outside) context.outside = true;
    else if (!(error instanceof GraphQLError)) throw error;
    context.failures.push(steps(info.path));
    throw error;
  }
}

function steps(path) {
  return path ? [...steps(path.prev), path.key] : [];
}
