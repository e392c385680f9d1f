// The name in the corner; it links to the schema as text.
import mark from './mark.svg';

export function Brand() {
  return (
    <a className="parlour-brand" href="/schema.graphql" target="_blank" rel="noreferrer" title="The schema as text">
      <img src={mark} alt="" width="22" height="22" />
      Parlour
    </a>
  );
}
