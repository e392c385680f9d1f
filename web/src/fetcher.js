// Sends an operation to the server that served this page, and nowhere else.
export async function fetcher({ query, variables, operationName }, { headers } = {}) {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json, application/json;q=0.9',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ query, variables, operationName: namedIn(query, operationName) }),
  });
  const body = await response.text();
  try {
    return JSON.parse(body);
  } catch {
    // A proxy or a limit may answer in plain text: show what it said rather than a parse error.
    throw new Error(`HTTP ${response.status} ${response.statusText}: ${body.slice(0, 500)}`);
  }
}

// For a moment after a change of tab, GraphiQL still sends the operation name of the tab before.
function namedIn(query, name) {
  return name && new RegExp(`\\b${name}\\b`).test(query) ? name : undefined;
}
