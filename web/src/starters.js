// The queries a first visitor finds in tabs: one file each in starters/, in the order of their
// names. The tab's title is the operation's name.
const files = import.meta.glob('./starters/*.graphql', { query: '?raw', import: 'default', eager: true });

export const starters = Object.keys(files)
  .sort()
  .map((path) => ({ query: files[path] }));
