// Error codes of attributes that operators add to replies.
export const replyAttributeErrors = {
  attribute_refused: {
    status: 422,
    title:
      'An attribute is in no dictionary, has a bad value or may not be added to replies; `problems` says which and why',
  },
} as const;
