// Rounds of steps side by side. Each finished step enqueues the workflow, so two processes create the next round together.
async function work(ms) {
  'use step';
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ms;
}

export async function rounds(count, width, ms) {
  'use workflow';
  let sum = 0;
  for (let round = 0; round < count; round += 1) {
    const done = await Promise.all(Array.from({ length: width }, () => work(ms)));
    sum += done.reduce((a, b) => a + b, 0);
  }
  return sum;
}
