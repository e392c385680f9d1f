// Makes a request smaller for as long as something still holds of it, so that a report shows the point and not the noise.
import { parse, print, visit } from 'graphql';

const MAX_TRIES = 400;
const LISTS = ['definitions', 'selections', 'arguments', 'directives', 'variableDefinitions', 'fields', 'values'];

/** The smallest request found for which `holds` still resolves to true. */
export async function shrink(request, holds) {
  let smallest = request;
  let tries = 0;
  const stillHolds = async (one) => (tries += 1) <= MAX_TRIES && (await holds(one));
  for (let at = 0, progress = false; tries < MAX_TRIES;) {
    const candidates = [...smaller(smallest)];
    if (at >= candidates.length) {
      if (!progress) break;
      [at, progress] = [0, false];
      continue;
    }
    const found = await firstOf([candidates[at], tidy(candidates[at])], stillHolds);
    if (found) [smallest, progress] = [found, true];
    else at += 1;
  }
  return smallest;
}

async function firstOf(candidates, holds) {
  for (const candidate of candidates) if (candidate && (await holds(candidate))) return candidate;
  return null;
}

/** The same request without the variables and fragments that nothing uses any more; null where all are used. */
function tidy(request) {
  let document;
  try {
    document = parse(request.query, { noLocation: true });
  } catch {
    return null;
  }
  const used = (kind) => {
    const names = new Set();
    visit(document, {
      VariableDefinition: () => (kind === 'Variable' ? false : undefined),
      [kind]: (node) => void names.add(node.name.value),
    });
    return names;
  };
  const before = print(document);
  for (let size = -1; size !== document.definitions.length;) {
    size = document.definitions.length;
    const spreads = used('FragmentSpread');
    document = {
      ...document,
      definitions: document.definitions.filter(
        (node) => node.kind !== 'FragmentDefinition' || spreads.has(node.name.value),
      ),
    };
  }
  const names = used('Variable');
  for (const node of document.definitions) {
    if (node.variableDefinitions)
      node.variableDefinitions = node.variableDefinitions.filter(({ variable }) => names.has(variable.name.value));
  }
  const text = print(document);
  if (text === before) return null;
  const variables = Object.fromEntries(Object.entries(request.variables ?? {}).filter(([name]) => names.has(name)));
  return { ...request, query: text, variables };
}

/** Requests with one thing less, the largest things first. */
function* smaller(request) {
  for (const name of Object.keys(request.variables ?? {})) {
    const { [name]: _, ...variables } = request.variables;
    yield { ...request, variables };
  }
  let document;
  try {
    document = parse(request.query, { noLocation: true });
  } catch {
    yield* shorter(request);
    return;
  }
  for (const [node, key] of places(document)) {
    const before = node[key];
    for (let at = 0; at < before.length; at += 1) {
      node[key] = without(before, at);
      if (!(key === 'selections' && node[key].length === 0)) yield { ...request, query: print(document) };
      const inner = before[at].selectionSet?.selections;
      if (key === 'selections' && inner && before[at].kind === 'InlineFragment') {
        node[key] = without(before, at, inner);
        yield { ...request, query: print(document) };
      }
    }
    node[key] = before;
  }
}

/** A text that does not parse loses pieces, from large to small. */
function* shorter(request) {
  const { query } = request;
  for (let size = Math.ceil(query.length / 2); size > 0; size = Math.floor(size / 2)) {
    for (let start = 0; start < query.length; start += size)
      yield { ...request, query: query.slice(0, start) + query.slice(start + size) };
  }
}

function* places(node) {
  if (typeof node !== 'object' || node === null) return;
  for (const key of LISTS) if (Array.isArray(node[key]) && node[key].length > 0) yield [node, key];
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) for (const inner of value) yield* places(inner);
    else yield* places(value);
  }
}

const without = (list, at, instead = []) => [...list.slice(0, at), ...instead, ...list.slice(at + 1)];
