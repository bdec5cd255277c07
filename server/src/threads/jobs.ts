import { inputJobs } from '../api/input.ts';
import { sectionJobs } from '../domain/configuration/stored-sections.ts';

/** Everything that threads can do. */
export const JOBS = { ...sectionJobs, ...inputJobs } as const;
