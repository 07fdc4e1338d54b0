import * as z from 'zod'
import { integer, meta, MS_MAX, text, wrong } from './scalars.ts'
import { findTwin, SOURCE } from './sources.ts'

/** Documents to search. */
export const COLLECTION = z.strictObject({
  sources: z
    .array(SOURCE)
    .max(100)
    .check((context) => {
      const at = findTwin(context.value)
      if (at === undefined) return
      const issue = wrong('has the kind and the name of another', 'Give one of the two another `name`.', undefined)
      context.issues.push({ ...issue, path: [at] })
    })
    .default([])
    .meta(
      meta(
        'Where its documents come from. Everything is read at every start, and what has not changed is skipped; streams are listened to. `headworks ingest` adds more.',
      ),
    ),
  tenant: text(256)
    .meta(
      meta(
        'The tenant it belongs to: for keys of other tenants, and of none, it is not there. Without it everybody may search it, and documents with a `tenant` of their own answer that one alone.',
      ),
    )
    .optional(),
  recallSample: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .meta(meta('Share of live vector queries that are asked again by looking at every vector, to measure recall.')),
  targets: z
    .strictObject({
      recallAt10: z
        .number()
        .min(0.5)
        .max(0.999)
        .default(0.95)
        .meta(
          meta(
            'Of the ten nearest passages, the share that searches by vector shall find. They spend what it takes by what was measured of the index, more where live searches show that it is not enough, and an alert is raised where it still is not.',
          ),
        ),
      memoryBytesMax: integer(2 ** 20, 2 ** 50)
        .meta(
          meta(
            'Bytes of memory that its vectors may take while they are searched, in the embedded index. Once they need more nothing is read into it, and the refusal says what would be needed. Without it the machine decides.',
          ),
        )
        .optional(),
      searchP95Ms: integer(1, MS_MAX)
        .default(50)
        .meta(meta('What 95 of 100 searches shall take at most, in milliseconds; shown beside what they take.')),
      freshnessMs: integer(100, MS_MAX)
        .default(2_000)
        .meta(meta('How soon a change shall be found, in milliseconds; shown beside how long it takes.')),
    })
    .prefault({})
    .meta(meta('What searching it shall reach.')),
  embedding: text(127)
    .default('lsa')
    .meta(
      meta(
        'What makes vectors of its passages: the name of a model under `models` that serves embeddings; `lsa`: directions fitted on its own texts, which need no weights and are no learned embeddings; `none`: it is searched by words alone.',
      ),
    ),
  refit: z
    .enum(['off', 'propose', 'auto'])
    .default('propose')
    .meta(
      meta(
        'Where `embedding` is `lsa`: what becomes of it when documents come that the fitted directions do not explain as they did those before. `propose`: an alert is raised. `auto`: a generation with new directions is made, and takes the place of the live one when it is ready. `off`: nobody looks.',
      ),
    ),
  passagePrefix: z
    .string()
    .max(1000)
    .meta(meta('Put before every passage that is embedded, where the model was trained so: `passage: ` for E5.'))
    .optional(),
  questionPrefix: z
    .string()
    .max(1000)
    .meta(meta('Put before every question that is embedded, likewise: `query: ` for E5.'))
    .optional(),
  chunks: z
    .strictObject({
      tokensMax: integer(64, 8_192)
        .default(512)
        .meta(meta('Tokens of one passage, at most, by an estimate; most have more than half of it.')),
      overlapTokens: integer(0, 4_096)
        .default(0)
        .meta(
          meta(
            'Tokens of the text before it that a passage begins with, at most; half of `tokensMax` at most. It does not reach across a heading.',
          ),
        ),
    })
    .check(({ value: { tokensMax, overlapTokens }, issues }) => {
      if (overlapTokens <= tokensMax / 2) return
      const issue = wrong('is more than half of `tokensMax`', 'Lower it, or raise `tokensMax`.', overlapTokens)
      issues.push({ ...issue, path: ['overlapTokens'] })
    })
    .prefault({})
    .meta(
      meta(
        'How documents are cut into passages. A collection that holds some stays as it is, until a generation is made.',
      ),
    ),
  context: text(127)
    .default('none')
    .meta(
      meta(
        'Name of a chat model that writes one sentence for every passage, about where in its document it stands; it is searched with the passage. One call for each passage that is new. `none`: nobody does.',
      ),
    ),
  description: text(1000).meta(meta('Shown where collections are listed.')).optional(),
})
