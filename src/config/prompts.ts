import * as z from 'zod'
import { meta, text } from './scalars.ts'

/** Prompts as versioned artefacts. */
export const PROMPTS = z.strictObject({
  folder: text(4096)
    .meta(
      meta(
        'A folder of prompts, one file each: `support.yaml` with `messages`, `variables`, `settings` and `labels`, or `support.md`, which is a system message. Read at the start and whenever this file changes; what has changed becomes a version. A relative path starts at the folder of this file.',
        { shown: 'path' },
      ),
    )
    .optional(),
  protected: z
    .array(z.string().regex(/^[a-z][a-z0-9._-]{0,31}$/))
    .max(100)
    .default(['production'])
    .meta(meta('Labels that are not turned without a reason.')),
})
