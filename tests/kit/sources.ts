import { refuse } from '../../src/base/errors.ts'
import type { Sources } from '../../src/retrieval/sources.ts'

/** Where only folders are read. */
export const NO_SOURCES: Sources = {
  open: async ({ kind }) => refuse('source_unreadable', { source: kind, reason: 'there is none' }),
}

/** Where nothing is read again by itself. */
export const NO_SCHEDULES = { of: async () => [] }
