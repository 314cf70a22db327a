// A step, a wait for a hook, and two more steps: between the first and the hook nothing replays the run.
import { createHook } from 'workflow';

async function work(ms) {
  'use step';
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ms;
}

export async function parked(token, ms) {
  'use workflow';
  const before = await work(ms);
  const { more } = await createHook({ token });
  return before + more + await work(ms) + await work(ms);
}
