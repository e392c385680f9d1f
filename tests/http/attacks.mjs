// Hostile requests, by what they attack. `make` builds one when it is sent, for they are large. `expected: 'answered'`
// marks what is so harmless or so legal that a plain answer is right as well.
const MEGABYTE = 1024 * 1024 - 1024;
const MANY = 100_000;

const json = (value) => ({ body: Buffer.from(JSON.stringify(value)) });
const query = (text, variables) => () => json({ query: typeof text === 'function' ? text() : text, variables });
const get = (path) => () => ({ method: 'GET', path, headers: { 'content-length': null } });
const raw = (bytes, headers) => () => ({ body: Buffer.from(bytes), headers });
const times = (count, text) => Array.from({ length: count }, (_, at) => text(at)).join(' ');

/** `open` as often as a megabyte holds it together with `close`. */
function nest(before, open, inside, close, after) {
  const count = Math.floor((MEGABYTE - before.length - inside.length - after.length) / (open.length + close.length));
  return before + open.repeat(count) + inside + close.repeat(count) + after;
}
const unclosed = (before, open) => before + open.repeat(Math.floor((MEGABYTE - before.length) / open.length));

/** A variable whose JSON nests: written as text, for no JSON writer goes that deep. */
function deep(open, inside, close, count) {
  return {
    body: Buffer.from(
      `{"query":"query($w: ChatUserWhere){chatUsers(where:$w){totalCount}}","variables":{"w":${open.repeat(count)}${inside}${close.repeat(count)}}}`,
    ),
  };
}

/** Fragments of which each spreads the next one twice. */
function doubling(count) {
  const links = times(count, (at) => `fragment F${at} on Query { ...F${at + 1} ...F${at + 1} }`);
  return `{ ...F0 } ${links} fragment F${count} on Query { __typename }`;
}

/** The same with fields, each under two names. */
function doublingFields(count) {
  const links = times(
    count,
    (at) =>
      `fragment F${at} on Agent { a: sessions(first: 1) { nodes { agent { ...F${at + 1} } } } b: sessions(first: 1) { nodes { agent { ...F${at + 1} } } } }`,
  );
  return `{ agents { nodes { ...F0 } } } ${links} fragment F${count} on Agent { id }`;
}

const chain = (count, last) =>
  `{ ...F0 } ${times(count, (at) => `fragment F${at} on Query { ...F${at + 1} }`)} fragment F${count} on Query { ${last} }`;
const TEXT = 'x'.repeat(MEGABYTE - 200);

/** Attacks by subject. */
export const HOSTILE = {
  'nesting to a megabyte': [
    { name: 'selection sets', make: query(() => nest('', '{a', '', '}', '')) },
    {
      name: 'selection sets of fields that exist',
      make: query(() => nest('{agents{nodes', '{sessions{nodes{agent', '{id}', '}}}', '}}')),
    },
    { name: 'selection sets that stay open', make: query(() => unclosed('', '{a')) },
    { name: 'closing braces', make: query(() => unclosed('{a', '}')) },
    { name: 'inline fragments', make: query(() => nest('{', '...{', '__typename', '}', '}')) },
    { name: 'inline fragments with a type', make: query(() => nest('{', '...on Query{', '__typename', '}', '}')) },
    { name: 'lists in an argument', make: query(() => nest('{nodes(ids:', '[', '"x"', ']', '){id}}')) },
    { name: 'lists that stay open', make: query(() => unclosed('{nodes(ids:', '[')) },
    {
      name: 'objects in an argument',
      make: query(() => nest('{chatUsers(where:', '{not:', '{}', '}', '){totalCount}}')),
    },
    { name: 'objects that stay open', make: query(() => unclosed('{chatUsers(where:', '{not:')) },
    {
      name: 'lists of objects in an argument',
      make: query(() => nest('{chatUsers(where:', '{and:[', '{}', ']}', '){totalCount}}')),
    },
    { name: 'lists in a default', make: query(() => nest('query($a:[ID!]=', '[', '"x"', ']', '){nodes(ids:$a){id}}')) },
    {
      name: 'objects in a default',
      make: query(() => nest('query($a:ChatUserWhere=', '{not:', '{}', '}', '){chatUsers(where:$a){totalCount}}')),
    },
    {
      name: 'lists in an argument of a directive',
      make: query(() => nest('{__typename@skip(if:', '[', 'true', ']', ')}')),
    },
    {
      name: 'objects in an argument of a directive',
      make: query(() => nest('{__typename@skip(if:', '{a:', 'true', '}', ')}')),
    },
    {
      name: 'lists in a directive of an operation',
      make: query(() => nest('query@a(b:', '[', '1', ']', '){__typename}')),
    },
    {
      name: 'lists in a directive of a variable',
      make: query(() => nest('query($a:Int@b(c:', '[', '1', ']', ')){agents(first:$a){totalCount}}')),
    },
    { name: 'brackets in a type', make: query(() => nest('query($a:', '[', 'ID', ']', '){nodes(ids:$a){id}}')) },
    { name: 'brackets in a type that stay open', make: query(() => unclosed('query($a:', '[')) },
    {
      name: 'brackets with marks in a type',
      make: query(() => nest('query($a:', '[', 'ID!', ']!', '){nodes(ids:$a){id}}')),
    },
    { name: 'exclamation marks', make: query(() => nest('query($a:ID', '!', '', '', '){node(id:$a){id}}')) },
    { name: 'parentheses', make: query(() => unclosed('{a', '(')) },
    { name: 'braces in a schema definition', make: query(() => nest('type A', '{a', '', '}', '')) },
    { name: 'introspection', make: query(() => nest('{__schema{types', '{fields{type', '{name}', '}}', '}}')) },
    {
      name: 'introspection of wrapped types',
      make: query(() => nest('{__schema{types{fields{type', '{ofType', '{name}', '}', '}}}}')),
    },
  ],
  'nesting below the limits of brackets': [
    {
      name: '100 inline fragments',
      make: query(() => `{${'...{'.repeat(100)}__typename${'}'.repeat(100)}}`),
      expected: 'answered',
    },
    {
      name: '60 levels of fields',
      make: query(
        () => `{agents(first:1){nodes${'{sessions(first:1){nodes{agent'.repeat(20)}{id}${'}}}'.repeat(20)}}}`,
      ),
    },
    {
      name: '100 objects in an argument',
      make: query(() => `{chatUsers(where:${'{not:'.repeat(100)}{}${'}'.repeat(100)}){totalCount}}`),
      expected: 'answered',
    },
    {
      name: '10 levels of introspection',
      make: query(() => `{__schema{types${'{fields{type'.repeat(10)}{name}${'}}'.repeat(10)}}}`),
    },
    {
      name: 'wide pages, five deep',
      make: query(
        '{agents(first:100){nodes{chatUsers(first:100){nodes{sessions(first:100){nodes{messages(first:100){nodes{session{messages(first:100){nodes{id}}}}}}}}}}}}',
      ),
    },
    {
      name: 'wide pages with the sizes in variables',
      make: query(
        'query($n:Int){agents(first:$n){nodes{chatUsers(first:$n){nodes{sessions(first:$n){nodes{messages(first:$n){nodes{session{messages(first:$n){nodes{id}}}}}}}}}}}}',
        { n: 100 },
      ),
    },
  ],
  fragments: [
    { name: 'one that spreads itself', make: query('{...F} fragment F on Query{...F}') },
    { name: 'a cycle of two', make: query('{...F} fragment F on Query{...G} fragment G on Query{...F}') },
    { name: 'a cycle of 10,000', make: query(() => chain(10_000, '...F0')) },
    { name: 'a cycle that nobody spreads', make: query('{__typename} fragment F on Query{...F}') },
    {
      name: 'a cycle through fields',
      make: query('{agents{nodes{...F}}} fragment F on Agent{sessions{nodes{agent{...F}}}}'),
    },
    { name: 'a chain of 10,000', make: query(() => chain(10_000, '__typename')) },
    { name: 'a chain of 10,000, the last one unknown', make: query(() => chain(10_000, '...G')) },
    { name: 'doubling 30 times', make: query(() => doubling(30)) },
    { name: 'doubling 1,000 times', make: query(() => doubling(1_000)) },
    { name: 'doubling 10,000 times', make: query(() => doubling(10_000)) },
    { name: 'doubling fields 25 times', make: query(() => doublingFields(25)) },
    { name: 'doubling fields 1,000 times', make: query(() => doublingFields(1_000)) },
    {
      name: 'each of 300 spreads all that follow',
      make: query(
        () =>
          `{...F0} ${times(300, (at) => `fragment F${at} on Query{${times(300 - at, (next) => `...F${at + next + 1}`)}}`)} fragment F300 on Query{__typename}`,
      ),
    },
    {
      name: 'one with the name of an introspection field',
      make: query(
        '{...__schema} fragment __schema on Query{agents(first:100){nodes{chatUsers(first:100){nodes{sessions(first:100){nodes{messages(first:100){nodes{id}}}}}}}}}',
      ),
    },
  ],
  'one hundred thousand': [
    { name: 'aliases', make: query(() => `{${times(MANY, (at) => `a${at}:__typename`)}}`) },
    {
      name: 'aliases of a field that reads',
      make: query(() => `{${times(MANY, (at) => `a${at}:agents(first:1){totalCount}`)}}`),
    },
    { name: 'fields, all the same', make: query(() => `{${'__typename '.repeat(MANY)}}`) },
    { name: 'fields that read, all the same', make: query(() => `{${'agents{totalCount} '.repeat(MANY)}}`) },
    {
      name: 'fields that cannot be merged',
      make: query(() => `{${times(MANY, (at) => `a:agents(first:${at}){totalCount}`)}}`),
    },
    { name: 'fields that do not exist', make: query(() => `{${times(MANY, (at) => `a${at}`)}}`) },
    { name: 'arguments', make: query(() => `{agents(${times(MANY, (at) => `a${at}:1`)}){totalCount}}`) },
    { name: 'arguments, all the same', make: query(() => `{agents(${'first:1 '.repeat(MANY)}){totalCount}}`) },
    { name: 'directives', make: query(() => `{__typename ${'@skip(if:false)'.repeat(MANY)}}`) },
    { name: 'directives that do not exist', make: query(() => `{__typename ${times(MANY, (at) => `@a${at}`)}}`) },
    { name: 'directives of an operation', make: query(() => `query ${'@a'.repeat(MANY)}{__typename}`) },
    { name: 'operations', make: query(() => times(MANY, (at) => `query A${at}{__typename}`)) },
    {
      name: 'operations and the name of one',
      make: () => json({ query: times(MANY, (at) => `query A${at}{__typename}`), operationName: 'A7' }),
    },
    { name: 'operations of one name', make: query(() => 'query A{__typename}'.repeat(MANY)) },
    { name: 'operations without a name', make: query(() => '{__typename}'.repeat(MANY)) },
    { name: 'variables', make: query(() => `query(${times(MANY, (at) => `$a${at}:Int`)}){__typename}`) },
    {
      name: 'variables of one name',
      make: query(() => `query(${'$a:Int '.repeat(MANY)}){agents(first:$a){totalCount}}`),
    },
    {
      name: 'uses of variables that are not there',
      make: query(() => `{${times(MANY, (at) => `a${at}:agents(first:$a${at}){totalCount}`)}}`),
    },
    {
      name: 'values of variables that are not there',
      make: () =>
        json({
          query: '{__typename}',
          variables: Object.fromEntries(Array.from({ length: MANY }, (_, at) => [`a${at}`, at])),
        }),
      expected: 'answered',
    },
    {
      name: 'fragments',
      make: query(
        () => `{${times(MANY, (at) => `...F${at}`)}}${times(MANY, (at) => `fragment F${at} on Query{__typename}`)}`,
      ),
    },
    {
      name: 'fragments that nobody spreads',
      make: query(() => `{__typename}${times(MANY, (at) => `fragment F${at} on Query{__typename}`)}`),
    },
    { name: 'fragments that do not exist', make: query(() => `{${times(MANY, (at) => `...F${at}`)}}`) },
    { name: 'spreads of one fragment', make: query(() => `{${'...F '.repeat(MANY)}}fragment F on Query{__typename}`) },
    { name: 'inline fragments', make: query(() => `{${'...{__typename}'.repeat(MANY)}}`) },
    // Only the field fails when a list is too long, so an answer with `null` in it is as good.
    { name: 'items of a list', make: query(() => `{nodes(ids:[${'"x" '.repeat(MANY)}]){id}}`), expected: 'answered' },
    {
      name: 'items of a list in a variable',
      make: () => json({ query: 'query($a:[ID!]!){nodes(ids:$a){id}}', variables: { a: Array(MANY).fill('x') } }),
      expected: 'answered',
    },
    {
      name: 'items that do not fit, in a variable',
      make: () => json({ query: 'query($a:[ID!]!){nodes(ids:$a){id}}', variables: { a: Array(MANY).fill(true) } }),
    },
    {
      name: 'keys of an object',
      make: query(() => `{chatUsers(where:{${times(MANY, (at) => `a${at}:1`)}}){totalCount}}`),
    },
    {
      name: 'keys of an object, all the same',
      make: query(() => `{chatUsers(where:{${'isAnonymous:{} '.repeat(MANY)}}){totalCount}}`),
    },
    {
      name: 'keys of an object in a variable',
      make: () =>
        json({
          query: 'query($w:ChatUserWhere){chatUsers(where:$w){totalCount}}',
          variables: { w: Object.fromEntries(Array.from({ length: MANY }, (_, at) => [`a${at}`, at])) },
        }),
    },
    { name: 'fields that fail', make: query(() => `{${times(MANY, (at) => `a${at}:agents(first:-1){totalCount}`)}}`) },
    { name: 'letters that are none', make: query(() => '? '.repeat(MANY)) },
    { name: 'definitions of types', make: query(() => times(MANY, (at) => `scalar A${at}`)) },
    { name: 'values of the wrong type', make: query(() => `{${times(MANY, (at) => `a${at}:node(id:1.5){id}`)}}`) },
  ],
  'numbers and texts': [
    { name: '1e400', make: query('{agents(first:1e400){totalCount}}') },
    { name: '400 digits', make: query(() => `{agents(first:${'9'.repeat(400)}){totalCount}}`) },
    { name: '400 digits and a sign', make: query(() => `{agents(first:-${'9'.repeat(400)}){totalCount}}`) },
    { name: 'a megabyte of digits', make: query(() => `{agents(first:${'9'.repeat(MEGABYTE - 100)}){totalCount}}`) },
    {
      name: 'a megabyte of digits behind a point',
      make: query(() => `{agents(first:0.${'9'.repeat(MEGABYTE - 100)}){totalCount}}`),
    },
    { name: '400 digits for an id', make: query(() => `{node(id:${'9'.repeat(400)}){id}}`), expected: 'answered' },
    {
      name: '1e400 in a variable',
      make: raw('{"query":"query($a:Int){agents(first:$a){totalCount}}","variables":{"a":1e400}}'),
    },
    {
      name: '400 digits in a variable',
      make: raw(`{"query":"query($a:Int){agents(first:$a){totalCount}}","variables":{"a":${'9'.repeat(400)}}}`),
    },
    {
      name: 'a megabyte of digits in a variable',
      make: () =>
        raw(
          `{"query":"query($a:Int){agents(first:$a){totalCount}}","variables":{"a":${'9'.repeat(MEGABYTE - 200)}}}`,
        )(),
    },
    {
      name: 'more rows than 32 bits hold',
      make: query('{agents(first:2147483647){totalCount}}'),
      expected: 'answered',
    },
    { name: 'the least number', make: query('{agents(first:-2147483648){totalCount}}'), expected: 'answered' },
    { name: 'a text of a megabyte', make: query(() => `{node(id:"${TEXT}"){id}}`), expected: 'answered' },
    { name: 'a text of a megabyte that does not end', make: query(() => `{node(id:"${TEXT}`) },
    { name: 'a block text of a megabyte that does not end', make: query(() => `{node(id:"""${TEXT}`) },
    {
      name: 'a block text of 100,000 indented lines',
      make: query(() => `{node(id:"""${'\n  x'.repeat(MANY)}"""){id}}`),
      expected: 'answered',
    },
    {
      name: 'a text of escapes',
      make: query(() => `{node(id:"${'\\u0041'.repeat(MANY)}"){id}}`),
      expected: 'answered',
    },
    { name: 'a text for an enum', make: query(() => `{chatUsers(platform:${TEXT}){totalCount}}`) },
    {
      name: 'a text for an enum in a variable',
      make: () => json({ query: 'query($a:Platform){chatUsers(platform:$a){totalCount}}', variables: { a: TEXT } }),
    },
    {
      name: 'a text for a time',
      make: () =>
        json({ query: 'query($a:DateTime){sessions(where:{startedAt:{eq:$a}}){totalCount}}', variables: { a: TEXT } }),
    },
    { name: 'a text for a cursor', make: query(() => `{agents(after:"${TEXT}"){totalCount}}`), expected: 'answered' },
    { name: 'a text to search for', make: query(() => `{agents(search:"${TEXT}"){totalCount}}`), expected: 'answered' },
    { name: 'a field name of a megabyte', make: query(() => `{${TEXT}}`) },
    { name: 'an alias of a megabyte', make: query(() => `{${TEXT}:__typename}`) },
    { name: 'an argument name of a megabyte', make: query(() => `{agents(${TEXT}:1){totalCount}}`) },
    { name: 'a directive name of a megabyte', make: query(() => `{__typename @${TEXT}}`) },
    { name: 'a fragment name of a megabyte', make: query(() => `{...${TEXT}}`) },
    { name: 'a type name of a megabyte', make: query(() => `query($a:${TEXT}){agents(first:$a){totalCount}}`) },
    { name: 'a variable name of a megabyte', make: query(() => `query($${TEXT}:Int){__typename}`) },
    { name: 'an operation name of a megabyte', make: () => json({ query: '{__typename}', operationName: TEXT }) },
    { name: 'a comment of a megabyte', make: query(() => `#${TEXT}`) },
    { name: 'a megabyte of commas', make: query(() => ','.repeat(MEGABYTE)) },
    { name: 'a megabyte of spaces in the JSON', make: () => raw(' '.repeat(MEGABYTE))() },
    { name: 'a key of a megabyte', make: () => raw(`{"${TEXT}":1}`)() },
    {
      name: 'a request id of 8 KiB',
      make: () => ({ ...json({ query: '{' }), headers: { 'x-request-id': 'x'.repeat(8192) } }),
    },
  ],
  'deep JSON': [
    { name: 'objects in a variable, a megabyte', make: () => deep('{"not":', '{}', '}', 120_000) },
    { name: 'lists in a variable, a megabyte', make: () => deep('[', '', ']', 500_000) },
    { name: 'objects in a variable, 100 levels', make: () => deep('{"not":', '{}', '}', 100), expected: 'answered' },
    {
      name: 'lists of objects in a variable, 60 levels',
      make: () => deep('{"and":[', '{}', ']}', 60),
      expected: 'answered',
    },
    { name: 'lists in a variable, 100 levels', make: () => deep('[', '', ']', 100) },
    // What nobody reads may be skipped without looking into it.
    {
      name: 'in extensions',
      make: () => raw(`{"query":"{__typename}","extensions":{"a":${'['.repeat(400_000)}${']'.repeat(400_000)}}}`)(),
      expected: 'answered',
    },
    {
      name: 'in a key that nobody knows',
      make: () => raw(`{"query":"{__typename}","a":${'['.repeat(400_000)}${']'.repeat(400_000)}}`)(),
      expected: 'answered',
    },
    { name: 'instead of a request', make: () => raw('['.repeat(MEGABYTE))() },
    { name: 'a batch', make: () => json(Array(1_000).fill({ query: '{__typename}' })) },
    { name: 'an empty batch', make: () => json([]) },
  ],
  bytes: [
    { name: 'a body that is no JSON', make: raw('query { __typename }') },
    { name: 'an empty body', make: raw('') },
    { name: 'half a JSON', make: raw('{"query":"{__typename') },
    { name: 'two JSONs', make: raw('{"query":"{__typename}"}{"query":"{__typename}"}') },
    { name: 'null', make: raw('null') },
    { name: 'a query that is no text', make: raw('{"query":{}}') },
    { name: 'variables that are a list', make: raw('{"query":"{__typename}","variables":[]}') },
    { name: 'variables that are a text', make: raw('{"query":"{__typename}","variables":"{}"}') },
    { name: 'an operation name that is a number', make: raw('{"query":"{__typename}","operationName":1}') },
    {
      name: 'bytes that are no UTF-8',
      make: raw(
        Buffer.concat([
          Buffer.from('{"query":"{__typename #'),
          Buffer.from([0xff, 0xfe, 0xc0, 0x80]),
          Buffer.from('\\n}"}'),
        ]),
      ),
    },
    {
      name: 'an overlong slash',
      make: raw(
        Buffer.concat([Buffer.from('{"query":"{__typename}","a":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"')]),
      ),
    },
    { name: 'half a surrogate', make: raw('{"query":"{__typename #\\ud83d\\n}"}') },
    {
      name: 'UTF-16',
      make: raw(Buffer.from('{"query":"{__typename}"}', 'utf16le'), {
        'content-type': 'application/json; charset=utf-16',
      }),
    },
    { name: 'a byte order mark before the JSON', make: raw('\ufeff{"query":"{__typename}"}'), expected: 'answered' },
    { name: 'NUL bytes instead of JSON', make: raw(Buffer.alloc(MEGABYTE)) },
    { name: 'a NUL byte in the JSON', make: raw('{"query":"{__typename}\u0000"}') },
    { name: 'an escaped NUL in the document', make: raw('{"query":"{__typename \\u0000}"}') },
    { name: 'the query twice', make: raw('{"query":"{__typename}","query":"{a:__typename}"}') },
    { name: 'the variables twice', make: raw('{"query":"{__typename}","variables":{},"variables":{"a":1}}') },
    // RFC 8259 leaves open what a repeated name means; nothing but the value depends on it.
    {
      name: 'a variable twice',
      make: raw('{"query":"query($a:Int){agents(first:$a){totalCount}}","variables":{"a":1,"a":2}}'),
      expected: 'answered',
    },
    { name: 'more than the server takes', make: () => raw(Buffer.alloc(8 * 1024 * 1024 + 32 * 1024, ' '))() },
  ],
  'types of content': [
    ...[
      null,
      '',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/graphql',
      'application/jsonx',
      'application/json-patch+json',
      'text/html',
      'application/xml',
      '*/*',
      'application/json,text/plain',
      '/',
      'application',
      'x'.repeat(4096),
    ].map((type) => ({
      name: type === null ? 'none' : type.slice(0, 40) || 'an empty one',
      make: () => ({ ...json({ query: '{__typename}' }), headers: { 'content-type': type } }),
    })),
    { name: 'a form', make: raw('query=%7B__typename%7D', { 'content-type': 'application/x-www-form-urlencoded' }) },
    // RFC 9110 allows a refusal, and does not ask for one.
    {
      name: 'an encoding that nobody knows',
      make: () => ({ ...json({ query: '{__typename}' }), headers: { 'content-encoding': 'nothing' } }),
      expected: 'answered',
    },
  ],
  'addresses and methods': [
    { name: 'no query', make: get('/graphql') },
    { name: 'nesting in the address', make: get(`/graphql?query=${'%7Ba'.repeat(7_000)}`) },
    { name: 'an address of 200 KB', make: get(`/graphql?query=${'a'.repeat(200_000)}`) },
    { name: 'variables that are no JSON', make: get('/graphql?query=%7B__typename%7D&variables=%7B') },
    { name: 'variables that nest', make: get(`/graphql?query=%7B__typename%7D&variables=${'['.repeat(30_000)}`) },
    { name: 'half a percent sign', make: get('/graphql?query=%7B__typename%7') },
    { name: 'bytes that are no UTF-8', make: get('/graphql?query=%ff%fe') },
    { name: 'the query twice', make: get('/graphql?query=%7B__typename%7D&query=%7Ba%3A__typename%7D') },
    { name: 'a mutation by GET', make: get('/graphql?query=mutation%7B__typename%7D') },
    ...['PUT', 'PATCH', 'DELETE'].map((method) => ({
      name: method,
      make: () => ({ ...json({ query: '{__typename}' }), method }),
    })),
  ],
};
