import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { type Prompts, type PromptVersion, readReference } from '../prompt/prompts.ts'
import { render } from '../prompt/template.ts'
import type { ChatRequest } from './surface/dialect.ts'

/** Requests that name a prompt: `"prompt": "support@production"`, or as OpenAI's Responses have it,
 *  `{"id", "version", "variables"}`. Its messages stand before the caller's, and its settings hold where the
 *  request says nothing. */

export interface Prompted {
  readonly asked: ChatRequest
  readonly prompt: PromptVersion
}

export const namesPrompt = ({ body }: ChatRequest): boolean => (body['prompt'] ?? null) !== null

export async function prompted(prompts: Pick<Prompts, 'resolve'>, asked: ChatRequest): Promise<Prompted | Refusal> {
  const { prompt: given = null, ...body } = asked.body
  const named = readPrompt(given)
  if (named instanceof Refusal) return named
  const prompt = await prompts.resolve(named.reference)
  if (prompt instanceof Refusal) return prompt
  const said = render(prompt.template, named.variables)
  if (said instanceof Refusal) return said
  const own = Array.isArray(body['messages']) ? (body['messages'] as readonly Json[]) : []
  const messages = [...said.map((message): Json => ({ ...message })), ...own]
  return { prompt, asked: { ...asked, body: { ...prompt.template.settings, ...body, messages } } }
}

function readPrompt(given: Json): { reference: { name: string; at: string }; variables: JsonObject } | Refusal {
  const {
    id,
    version = null,
    variables = null,
  } = typeof given === 'string' ? { id: given } : isObject(given) ? given : {}
  const at = version === null ? '' : `@${typeof version === 'number' || typeof version === 'string' ? version : '?'}`
  const reference = typeof id === 'string' ? readReference(`${id}${at}`) : undefined
  if (reference === undefined)
    return refuse('field_invalid', {
      field: 'prompt',
      problem: 'names no prompt',
      remedy: 'Write "support@production", "support@3", or {"id": "support", "version": "3", "variables": {...}}.',
    })
  if (variables !== null && !isObject(variables))
    return refuse('field_invalid', {
      field: 'prompt.variables',
      problem: 'must be an object',
      remedy: 'Send {"name": "value"}.',
    })
  return { reference, variables: variables ?? {} }
}
