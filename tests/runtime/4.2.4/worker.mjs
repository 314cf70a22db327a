// Here, because a package is looked for beside the file that imports it; see ../serve.mjs.
import { resumeHook, start } from 'workflow/api';
import { getWorld } from 'workflow/runtime';
import { serve } from '../serve.mjs';

serve({ start, resumeHook, getWorld }, import.meta.url);
