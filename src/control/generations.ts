import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json } from '../base/json.ts'
import { compare, COMPARED_QUESTIONS_MAX } from '../retrieval/generation/compare.ts'
import type { Generations } from '../retrieval/generation/generations.ts'
import type { Search } from '../retrieval/search.ts'
import { maySee, type OwnerOf, toAdministrators } from './access.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

export interface GenerationDependencies {
  readonly generations: Generations
  readonly ownerOf: OwnerOf
  readonly search: Search
  /** Newest first. */
  readonly recentQuestions: (collection: string) => readonly string[]
}

const QUESTION_UNITS_MAX = 10_000
const PAGE_MAX = 1_000
const PAGE_DEFAULT = 100
const PATH = '/api/collections/{collection}/generations'

export function generationRoutes(dependencies: GenerationDependencies): Route[] {
  const { generations, ownerOf } = dependencies
  return [
    {
      method: 'GET',
      path: PATH,
      summary: 'The generations of a collection: what each is embedded with, how far it is, which one answers.',
      role: 'user',
      async answer({ params, principal }) {
        const { collection = '' } = params
        if (!maySee(principal, collection, ownerOf)) return refuse('collection_unknown', { collection })
        const listed = await generations.list(collection)
        if (listed === undefined) return refuse('collection_unknown', { collection })
        return ok({
          generations: listed.map(({ createdAtMs, embedding, recipe, ...one }) => ({
            ...one,
            embedding: { ...embedding },
            ...(recipe === undefined ? {} : { cut: { ...recipe.chunking }, context: recipe.context }),
            createdAt: new Date(createdAtMs).toISOString(),
          })),
        })
      },
    },
    {
      method: 'POST',
      path: PATH,
      ingests: true,
      summary:
        'Cuts and embeds the collection anew, as the configuration says, beside the one that answers. {activate: true}: it answers as soon as it is ready.',
      role: 'admin',
      answer: toAdministrators(ownerOf, async (collection, { body }) => {
        const activate = isObject(body) ? body['activate'] : undefined
        if (activate !== undefined && typeof activate !== 'boolean')
          return refuse('field_invalid', {
            field: 'activate',
            problem: 'is neither true nor false',
            remedy: 'Leave it out to switch by hand.',
          })
        const made = await generations.create(collection, { switchWhenReady: activate === true })
        return made instanceof Refusal ? made : { status: 202, value: { generation: made } }
      }),
    },
    {
      method: 'GET',
      path: `${PATH}/{generation}/cut-before`,
      summary:
        'Documents that must be read again from their source to be cut as this generation has it; until then they are as they were. `limit`, `after`.',
      role: 'admin',
      answer: toAdministrators(ownerOf, async (collection, { params, query }) => {
        const { generation = '' } = params
        const limit = limitOf(query, { default: PAGE_DEFAULT, most: PAGE_MAX, cursor: 'after' })
        if (limit instanceof Refusal) return limit
        const documents = await generations.cutBefore(collection, generation, limit, query.get('after') ?? undefined)
        if (documents === undefined) return refuse('not_found', { what: 'generation', id: generation })
        return ok({ documents, next: documents.length === limit ? (documents.at(-1) ?? null) : null })
      }),
    },
    {
      method: 'POST',
      path: `${PATH}/rollback`,
      summary: 'Makes the generation answer again that answered before.',
      role: 'admin',
      answer: toAdministrators(ownerOf, async (collection) => {
        const live = await generations.rollback(collection)
        return live instanceof Refusal ? live : ok({ live })
      }),
    },
    {
      method: 'POST',
      path: `${PATH}/{generation}/compare`,
      summary: 'What it finds otherwise than the one that answers: {questions}, else those asked lately.',
      role: 'admin',
      // It tells what others asked, and finds with everybody's eyes.
      answer: toAdministrators(ownerOf, (collection, context) => comparison(dependencies, collection, context)),
    },
    {
      method: 'POST',
      path: `${PATH}/{generation}/activate`,
      summary: 'Makes it the one that answers, at once and as a whole.',
      role: 'admin',
      answer: toAdministrators(ownerOf, async (collection, { params }) => {
        const { generation = '' } = params
        return (await generations.activate(collection, generation)) ?? ok({ live: generation })
      }),
    },
    {
      method: 'DELETE',
      path: `${PATH}/{generation}`,
      summary: 'Removes a generation that does not answer.',
      role: 'admin',
      answer: toAdministrators(ownerOf, async (collection, { params }) => {
        const { generation = '' } = params
        return (await generations.drop(collection, generation)) ?? ok({ generation, removed: true })
      }),
    },
  ]
}

async function comparison(
  { generations, search, recentQuestions }: GenerationDependencies,
  collection: string,
  { params, body }: Context,
): Promise<Answer | Refusal> {
  const { generation = '' } = params
  const listed = await generations.list(collection)
  if (listed === undefined) return refuse('collection_unknown', { collection })
  if (!listed.some(({ id }) => id === generation)) return refuse('not_found', { what: 'generation', id: generation })
  const questions = questionsOf(isObject(body) ? body['questions'] : undefined) ?? recentQuestions(collection)
  if (questions instanceof Refusal) return questions
  if (questions.length === 0)
    return refuse('field_invalid', {
      field: 'questions',
      problem: 'are missing, and nothing was asked of the collection since the start',
      remedy: 'Send {"questions": ["How do I ...?"]}.',
    })
  const live = listed.find((one) => one.live)?.id ?? ''
  const found = await compare(search, `${collection}@${live}`, `${collection}@${generation}`, questions)
  return ok({ live, generation, ...(JSON.parse(JSON.stringify(found)) as { [name: string]: Json }) })
}

function questionsOf(given: Json | undefined): readonly string[] | undefined | Refusal {
  if (given === undefined) return undefined
  const listed: readonly Json[] = Array.isArray(given) ? given : []
  const questions = listed.filter((one) => typeof one === 'string' && one.trim() !== '')
  const fits = questions.every((one) => String(one).length <= QUESTION_UNITS_MAX)
  if (questions.length > 0 && questions.length === listed.length && listed.length <= COMPARED_QUESTIONS_MAX && fits)
    return questions.map(String)
  return refuse('field_invalid', {
    field: 'questions',
    problem: `must be 1 to ${COMPARED_QUESTIONS_MAX} texts of at most ${QUESTION_UNITS_MAX} characters`,
    remedy: 'Leave it out to compare by what was asked lately.',
  })
}
