// Rounds of steps side by side whose bodies leave a trace outside the log: what was done, and how often. The first attempt of every
// fifth step fails, which is recorded as a retry.
import fs from 'node:fs';
import { getStepMetadata } from 'workflow';

async function charge(number, ms, file) {
  'use step';
  const { stepId, attempt } = getStepMetadata();
  fs.appendFileSync(file, `${JSON.stringify({ step: stepId, attempt, pid: process.pid, at: Date.now() })}\n`);
  await new Promise((resolve) => setTimeout(resolve, ms));
  if (number % 5 === 4 && attempt === 1) throw new Error('declined');
  return ms;
}

export async function effects(count, width, ms, file) {
  'use workflow';
  let sum = 0;
  for (let round = 0; round < count; round += 1) {
    const done = await Promise.all(Array.from({ length: width }, (_, i) => charge(round * width + i, ms, file)));
    sum += done.reduce((a, b) => a + b, 0);
  }
  return sum;
}
