// Says how an answer of the server differs from what graphql-js makes of the same request, if it does.
import { answer } from './reference.mjs';
import { ask } from '../server.mjs';

/**
 * Null when both agree, else `{ kind, detail, messages, failing }`, the last for a request of which a
 * field fails:
 *   accepted  the server answers what graphql-js refuses; `messages` are those of graphql-js
 *   refused   the server refuses what graphql-js answers; `messages` are those of the server
 *   data      the text of `data` is another; `parts` are the letters where the texts part
 *   paths     the errors are not at the fields that fail
 *   answer    it is no proper answer at all
 */
export async function difference({ url, schema, data }, { query, variables, operationName, unordered }) {
  const request = { query, variables, operationName };
  const [expected, { status, text, body }] = await Promise.all([answer(schema, data, request), ask(url, request)]);
  const messages = (body.errors ?? []).map(({ message }) => message);
  const failing = expected.failures?.length > 0;
  const differs = (kind, detail, told = messages) => ({ kind, detail, messages: told, failing });
  const otherData = (wanted, got) => ({
    ...differs('data', `expected ${excerpt(wanted, got)}`),
    parts: parting(wanted, got),
  });

  const refused = !('data' in body);
  if (refused ? status < 400 || status > 499 || messages.length === 0 : status !== 200) {
    // A refusal with `"data": null` in it is still told from an answer, by its status and its errors without a path.
    const refusal =
      status >= 400 && status <= 499 && body.data === null && body.errors?.every(({ path }) => path === undefined);
    if (!refusal) return differs('answer', `status ${status}: ${text.slice(0, 300)}`);
    if (expected.refused) return null;
    return differs('refused', messages.join('; '));
  }
  if (refused !== expected.refused) {
    return refused
      ? differs('refused', messages.join('; '))
      : differs('accepted', expected.messages.join('; '), expected.messages);
  }
  if (refused || expected.outside) return null;
  const wanted = JSON.stringify(unordered ? sorted(expected.data) : expected.data);
  if (unordered) {
    const got = JSON.stringify(sorted(body.data));
    return got === wanted ? null : otherData(wanted, got);
  }
  if (!text.includes(`"data":${wanted},`) && !text.includes(`"data":${wanted}}`)) {
    return otherData(wanted, JSON.stringify(body.data));
  }
  const wrong = wrongPaths(expected, body.errors ?? []);
  return wrong ? differs('paths', wrong) : null;
}

/** The same value with its lists sorted. */
function sorted(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, sorted(inner)]));
  return value
    .map((inner) => [JSON.stringify(sorted(inner)), sorted(inner)])
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, inner]) => inner);
}

/** Where two texts part. */
function placeOf(wanted, got) {
  let at = 0;
  while (at < wanted.length && wanted[at] === got[at]) at += 1;
  return at;
}

/** The next letters of both texts there. */
function parting(wanted, got) {
  const at = placeOf(wanted, got);
  return [wanted.slice(at, at + 4), got.slice(at, at + 4)];
}

/** Both texts around that place. */
function excerpt(wanted, got) {
  if (wanted === got) return `${wanted.slice(0, 120)} in other characters`;
  const at = placeOf(wanted, got);
  const around = (text) => text.slice(Math.max(0, at - 60), at + 120);
  return `${around(wanted)}\n     got      ${around(got)}`;
}

/** The server has no error but for fields that fail, and one at least for each null that they leave. */
function wrongPaths({ data, failures, complete }, errors) {
  const text = (path) => JSON.stringify(path);
  const failing = new Set(failures.map(text));
  const stray = errors.find(({ path }) => !failing.has(text(path)));
  if (stray && complete)
    return `an error at ${text(stray.path)}, where no field fails; expected ${[...failing].slice(0, 3).join(' or ')}`;
  const told = errors.map(({ path }) => path ?? []);
  if (new Set(told.map(text)).size < told.length) return 'the same field has two errors';
  const unexplained = failures
    .map((path) => nullAbove(data, path))
    .find((place) => !told.some((path) => place.every((step, at) => path[at] === step)));
  return unexplained && `no error tells of the null at ${text(unexplained)}`;
}

/** The shortest part of a path at which the answer is null. */
function nullAbove(data, path) {
  let value = data;
  for (let at = 0; at < path.length; at += 1) {
    if (value === null) return path.slice(0, at);
    value = value[path[at]];
  }
  return path;
}
