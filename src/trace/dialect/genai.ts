import type { Dialect } from './table.ts'

const KINDS = {
  chat: 'generation',
  text_completion: 'generation',
  completion: 'generation',
  generate_content: 'generation',
  embeddings: 'embedding',
  embedding: 'embedding',
  rerank: 'rerank',
  retrieval: 'retrieval',
  execute_tool: 'tool',
  create_agent: 'agent',
  invoke_agent: 'agent',
  invoke_workflow: 'workflow',
  plan: 'agent',
} as const

const CONTENT = [
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
  'gen_ai.tool.definitions',
  'gen_ai.tool.call.arguments',
  'gen_ai.tool.call.result',
  'gen_ai.retrieval.query.text',
  'gen_ai.retrieval.documents',
] as const

/** OpenTelemetry's conventions for generative AI from 1.37 on, and as they went on in a repository of
 *  their own. `input_tokens` includes what was read from a cache. */
export const GENAI: Dialect = {
  name: 'OpenTelemetry GenAI 1.37',
  attributes: {
    'gen_ai.operation.name': 'operation',
    'gen_ai.provider.name': 'provider',
    'gen_ai.response.model': 'modelAnswered',
    'gen_ai.request.model': 'modelAsked',
    'user.id': 'user',
    'enduser.id': 'user',
    'gen_ai.conversation.id': 'session',
    'session.id': 'session',
    'gen_ai.workflow.name': 'workflow',
    'gen_ai.prompt.name': 'prompt',
    'gen_ai.prompt.version': 'promptVersion',
    'gen_ai.response.finish_reasons': 'finishReason',
    'gen_ai.usage.input_tokens': 'inputTotal',
    'gen_ai.usage.cache_read.input_tokens': 'cacheRead',
    'gen_ai.usage.cache_creation.input_tokens': 'cacheWrite',
    'gen_ai.usage.output_tokens': 'outputTotal',
    'gen_ai.usage.reasoning.output_tokens': 'reasoning',
    'gen_ai.response.time_to_first_chunk': 'firstTokenSeconds',
    'error.type': 'error',
    'headworks.probability': 'probability',
  },
  kinds: KINDS,
  content: CONTENT,
  ignored: ['gen_ai.output.type', 'gen_ai.request.stream'],
}

/** The same up to 1.36. */
export const GENAI_OLD: Dialect = {
  name: 'OpenTelemetry GenAI 1.36',
  attributes: {
    'gen_ai.system': 'provider',
    'gen_ai.usage.prompt_tokens': 'inputTotal',
    'gen_ai.usage.completion_tokens': 'outputTotal',
    'gen_ai.response.finish_reason': 'finishReason',
  },
  kinds: {},
  content: ['gen_ai.prompt', 'gen_ai.completion', 'gen_ai.event.content'],
  ignored: [],
}
