/** Types of which a second row of one identity is a duplicate: what every consumer here looks for. */
export const SINGLE_TYPES = ['run_created', 'run_started', 'run_completed', 'run_failed', 'step_created', 'step_completed', 'step_failed', 'wait_created', 'wait_completed', 'hook_created', 'hook_disposed'];
