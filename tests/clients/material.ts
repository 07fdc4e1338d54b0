/** What the clients ask about. */
export const DOCUMENTS = {
  'lighthouse.md':
    '# The lighthouse of Kerrin\n\nThe lighthouse of Kerrin was lit for the first time in 1847. Its lamp burns whale oil.\n\n## The keeper\n\nThe keeper of the lighthouse is called Maren Holt. She counts the ships every night.\n',
  'harbour.md':
    '# The harbour\n\nThe harbour master collects a toll of three crowns from every ship. Fishing boats pay nothing.\n',
}

export const QUESTION = 'Who is the keeper of the lighthouse of Kerrin?'
