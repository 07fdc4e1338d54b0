import * as z from 'zod'
import { integer, meta, text } from './scalars.ts'

const POLICY = z.strictObject({
  tools: z
    .enum(['none', 'caller'])
    .default('none')
    .meta(
      meta(
        'Tools the model may call. `none`: it is offered none, and calls that it makes all the same are dropped. `caller`: those of the request.',
      ),
    ),
  links: z
    .enum(['sources', 'any', 'none'])
    .default('sources')
    .meta(
      meta(
        'Where an answer may lead. `sources`: links that stand in the passages letter for letter, and no pictures. `any`: anywhere, which lets a poisoned document carry a conversation away. `none`: nowhere.',
      ),
    ),
  hosts: z
    .array(z.string().regex(/^[a-z0-9.-]+(?::\d{1,5})?$/))
    .max(100)
    .default([])
    .meta(meta('Hosts that `sources` also lets answers link to and show pictures of, such as `docs.example.com`.')),
})

/** Retrieval workflows, called as models. */
export const WORKFLOW = z.strictObject({
  collection: z.string().meta(meta('Name of the collection it searches.')),
  topK: integer(1, 100).default(8).meta(meta('Passages to find.')),
  rewrite: z
    .string()
    .default('terms')
    .meta(
      meta(
        'How the last question of a conversation is made to stand alone before the search. `terms`: a question that points back takes along the topical words of those before it (English). The name of a model: it writes the question again. `none`: searched as it stands.',
      ),
    ),
  rerank: z
    .string()
    .default('none')
    .meta(meta('Name of a model that puts the passages found into a better order, or `none`.')),
  model: z.string().default('reader').meta(meta('Name of the model that answers from the passages.')),
  contextTokensMax: integer(100, 1_000_000)
    .default(4_000)
    .meta(
      meta(
        'Tokens of passages given to the model, at most, marks included: by its tokenizer where that is known, else four bytes a token.',
      ),
    ),
  instructions: text(20_000)
    .meta(
      meta(
        'Your own instructions to the model, in place of the built-in ones. How its sources are marked is added to them.',
      ),
    )
    .optional(),
  prompt: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,62}(?:@(?:[a-z][a-z0-9._-]{0,31}|[1-9]\d{0,4}))?$/)
    .meta(
      meta(
        'A prompt whose system messages are the instructions, such as `answer@production` or `answer@3`; a label that is turned holds for the next question. In place of `instructions`.',
        { shown: 'prompt@label or prompt@version' },
      ),
    )
    .optional(),
  spotlight: z
    .enum(['delimit', 'datamark'])
    .default('delimit')
    .meta(
      meta(
        'How sources are kept apart from instructions. `delimit`: between marks that are new for every request. `datamark`: also, every space in them is replaced by a character chosen for the request.',
      ),
    ),
  evidenceMin: z
    .number()
    .min(0)
    .max(1)
    .default(0.3)
    .meta(
      meta(
        "Share of the question's words that one of the passages must hold for the model to be asked; below it the answer is that the sources do not hold one. Where a passage was found by its vector, the model is asked all the same. 0: always.",
      ),
    ),
  groundedness: z
    .string()
    .default('lexical')
    .meta(
      meta(
        'What judges how many sentences of an answer rest on the passages they cite. `lexical`: their words, numbers and negations. The name of a model: it is asked. `none`: no score.',
      ),
    ),
  policy: POLICY.prefault({}).meta(meta('What an answer may do beside being read.')),
  description: text(1000).meta(meta('Shown in `GET /v1/models`.')).optional(),
})
