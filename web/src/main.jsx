// Mounts GraphiQL with Parlour's name and starter queries. Tabs, edits and history stay in the
// browser's localStorage; the starters only fill it on a first visit.
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './brand.css';

import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

import { Brand } from './brand.jsx';
import { fetcher } from './fetcher.js';
import { starters } from './starters.js';

const newTab =
  '# Ctrl-Enter runs the query, Ctrl-Space completes it.\n' +
  '# Where a token is needed, write into Headers below: {"Authorization": "Bearer parlour_…"}\n\n';

// Headers hold tokens, so they are the one thing that never reaches localStorage.
createRoot(document.getElementById('root')).render(
  <GraphiQL fetcher={fetcher} defaultTabs={starters} defaultQuery={newTab} shouldPersistHeaders={false}>
    <GraphiQL.Logo>
      <Brand />
    </GraphiQL.Logo>
  </GraphiQL>,
);
