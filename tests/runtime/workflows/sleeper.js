// A step, a sleep, and another step.
import { sleep } from 'workflow';

async function work(ms) {
  'use step';
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ms;
}

export async function sleeper(ms) {
  'use workflow';
  const before = await work(5);
  await sleep(ms);
  return before + await work(5);
}
