/** A signal, not a proof, that a text tries to instruct the model it is given to: forms of attacks that are
 *  published, weighed and joined as independent evidence (noisy or). It reads English and the marks of chat
 *  templates; `npm run bench -- --only guards` says what it finds and what it takes amiss. */

interface Sign {
  readonly name: string
  readonly form: RegExp
  /** What it says by itself, 0 to 1. */
  readonly weight: number
}

const ABOVE = String.raw`(?:previous|prior|earlier|preceding|above|foregoing|existing|original|initial|system|your|all)`
const RULES = String.raw`(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|messages?|context|programming|training|constraints?|restrictions?|polic(?:y|ies))`
const SKIP = String.raw`(?:[\s,]+\w+){0,3}?[\s,]+`

const SIGNS: readonly Sign[] = [
  {
    name: 'override',
    form: new RegExp(
      String.raw`\b(?:ignore|disregard|forget|override|bypass|discard|do not follow|don't follow|stop following|pay no attention to)${SKIP}(?:of\s+)?(?:the\s+|any\s+|all\s+)?${ABOVE}(?:[\s,]+\w+){0,2}?[\s,]+${RULES}\b`,
      'i',
    ),
    weight: 0.85,
  },
  {
    name: 'override',
    form: /\b(?:ignore|forget|disregard) (?:everything|anything|all) (?:above|before|you(?:'ve| have| were)?|that (?:was|came)|i (?:said|told))\b/i,
    weight: 0.8,
  },
  {
    name: 'new_rules',
    form: /\b(?:new|updated|revised|real|actual|true) (?:system )?(?:instructions?|rules?|prompt|task|directive)s?\s*(?::|are\b|follow\b)/i,
    weight: 0.5,
  },
  {
    name: 'reveal',
    form: /\b(?:reveal|show|print|repeat|output|display|leak|dump|tell me|what (?:is|are|was|were)|give me|write out|recite|translate)\b[^.\n]{0,40}\b(?:your|the|its|initial|hidden|secret|full|exact)\s+(?:\w+\s+){0,2}?(?:system prompt|system message|(?:initial|hidden|secret|original|internal|developer) (?:instructions?|prompt|rules|message)|instructions (?:above|you were given))/i,
    weight: 0.75,
  },
  {
    name: 'reveal',
    form: /\b(?:repeat|print|output|copy) (?:everything|all|the (?:text|words)) (?:above|before)\b/i,
    weight: 0.7,
  },
  {
    name: 'persona',
    form: /\b(?:you are (?:now|no longer)|from now on,? you(?:'re| are| will)|pretend (?:to be|you(?:'re| are))|act as (?:if you|an? (?:unrestricted|unfiltered|evil|jailbroken))|roleplay as|enter (?:developer|debug|god|dan|admin) mode|developer mode (?:enabled|on))\b/i,
    weight: 0.45,
  },
  {
    name: 'jailbreak',
    form: /\b(?:do anything now|DAN mode|jailbreak(?:ed|ing)?|without (?:any )?(?:restrictions|filters|censorship|moral|ethical)|no (?:ethical|moral|content) (?:guidelines|restrictions|limits|filters)|unfiltered (?:ai|model|response))\b/i,
    weight: 0.55,
  },
  {
    name: 'role_mark',
    form: /<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id)\|>|\[\/?INST\]|<<\/?SYS>>|<\/?(?:system|assistant|developer)(?:_prompt|_message)?>/i,
    weight: 0.8,
  },
  {
    name: 'role_mark',
    form: /^\s{0,8}(?:#{1,4}\s*)?(?:system|assistant|developer)\s*(?:prompt|message|override|note)?\s*:\s*\S/im,
    weight: 0.4,
  },
  {
    name: 'exfiltration',
    form: /!\[[^\]\n]{0,80}\]\(\s*https?:\/\/[^)\s]{1,200}[?&][^)\s]{0,80}=[^)\s]{0,80}\)/i,
    weight: 0.6,
  },
  {
    name: 'exfiltration',
    form: /\b(?:send|post|forward|e-?mail|upload|exfiltrate|transmit)\b[^.\n]{0,60}\b(?:conversation|chat history|credentials|passwords?|api keys?|secrets?|system prompt|user(?:'s)? data)\b[^.\n]{0,40}\b(?:to|at)\b[^.\n]{0,20}(?:https?:|www\.|@|\w+\.\w{2,6}\b)/i,
    weight: 0.75,
  },
  {
    name: 'concealment',
    form: /\b(?:do not|don't|never) (?:tell|inform|mention|reveal|show|alert|notify)\b[^.\n]{0,30}\b(?:the )?(?:user|anyone|human|reader|operator)\b/i,
    weight: 0.5,
  },
  {
    name: 'to_models',
    form: /\b(?:attention|note|message|instructions?|important)[\s:,-]{1,4}(?:to |for )(?:all |any |the )?(?:ai|llms?|assistants?|language models?|chatbots?|agents?)\b/i,
    weight: 0.6,
  },
  { name: 'hidden', form: /[\u{E0020}-\u{E007F}]{4,}|[\u200B-\u200D\u2060\uFEFF]{6,}/u, weight: 0.7 },
]

export interface Suspicion {
  /** 0 to 1. */
  readonly score: number
  /** Names of the signs, each once. */
  readonly signs: readonly string[]
}

/** At most a window of text at once: see `WINDOW_CHARS_MAX`. */
export function suspicionOf(text: string): Suspicion {
  const best = new Map<string, number>()
  for (const { name, form, weight } of SIGNS)
    if (weight > (best.get(name) ?? 0) && form.test(text)) best.set(name, weight)
  let doubt = 1
  for (const weight of best.values()) doubt *= 1 - weight
  return { score: 1 - doubt, signs: [...best.keys()] }
}
