/** Personal data that can be looked for, the stricter form first: a card may look like a telephone number. */
export const PII_KINDS = ['email', 'iban', 'card', 'us_ssn', 'uk_nino', 'ip', 'phone'] as const
export type PiiKind = (typeof PII_KINDS)[number]
