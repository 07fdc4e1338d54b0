import type { Dialect } from './table.ts'

/** Langfuse over OpenTelemetry (its SDKs from JS 4 and Python 3 on). */
export const LANGFUSE: Dialect = {
  name: 'Langfuse',
  attributes: {
    'langfuse.observation.type': 'kind',
    'langfuse.observation.model.name': 'modelAnswered',
    'langfuse.observation.usage_details': 'usageParts',
    'langfuse.observation.cost_details': 'costParts',
    'langfuse.observation.completion_start_time': 'firstTokenAt',
    'langfuse.observation.prompt.name': 'prompt',
    'langfuse.observation.prompt.version': 'promptVersion',
    'langfuse.observation.status_message': 'error',
    'langfuse.observation.metadata.finish_reason': 'finishReason',
    'langfuse.trace.name': 'workflow',
    'langfuse.user.id': 'user',
    'langfuse.session.id': 'session',
  },
  kinds: {
    generation: 'generation',
    embedding: 'embedding',
    retriever: 'retrieval',
    tool: 'tool',
    agent: 'agent',
    chain: 'workflow',
    guardrail: 'guardrail',
    evaluator: 'evaluation',
    span: 'span',
    event: 'event',
  },
  content: [
    'langfuse.observation.input',
    'langfuse.observation.output',
    'langfuse.trace.input',
    'langfuse.trace.output',
  ],
  ignored: [
    'langfuse.observation.level',
    'langfuse.observation.model.parameters',
    // No host, though it looks like one.
    ['langfuse', 'internal', ''].join('.'),
    'langfuse.trace.public',
  ],
  defaultNames: /^(?:OpenAI|Anthropic)-generation$/,
}

/** What the keys of `usage_details` mean. Those of its own are disjoint; those that OpenAI's usage has
 *  are totals. */
export const USAGE_PARTS = {
  input: 'inputUncached',
  input_cached_tokens: 'cacheRead',
  cache_read_input_tokens: 'cacheRead',
  input_cache_read: 'cacheRead',
  cache_creation_input_tokens: 'cacheWrite',
  input_cache_creation: 'cacheWrite',
  output: 'outputVisible',
  output_reasoning_tokens: 'reasoning',
  output_reasoning: 'reasoning',
  prompt_tokens: 'inputTotal',
  input_tokens: 'inputTotal',
  completion_tokens: 'outputTotal',
  output_tokens: 'outputTotal',
} as const
