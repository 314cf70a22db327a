// The dashboards, made from dashboards/source; ./generate writes them.
import { fleet } from './source/fleet.mjs';
import { internals } from './source/internals.mjs';
import { overview } from './source/overview.mjs';

/** File name -> dashboard. */
export const DASHBOARDS = { 'overview.json': overview, 'internals.json': internals, 'fleet.json': fleet };

/** Path from the root -> content. */
export const files = () => Object.fromEntries(
  Object.entries(DASHBOARDS).map(([name, dashboard]) => [`dashboards/${name}`, `${JSON.stringify(dashboard, null, 2)}\n`]));
