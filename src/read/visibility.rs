//! Users who are not to be seen, because they were deleted or are about to be: nothing of theirs is read.

/// The condition that the user whose id is in a column may be seen.
///
/// Nearly always nobody is hidden: that is asked once for each statement, and only then for each row.
pub fn shown(user: &str) -> String {
    format!(
        "(NOT EXISTS (SELECT 1 FROM hidden_chat_users) \
         OR NOT EXISTS (SELECT 1 FROM hidden_chat_users WHERE hidden_chat_users.chat_user_id = {user}))"
    )
}
