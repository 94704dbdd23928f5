drop table oidc_requests, sign_in_failures, invitations, sessions, memberships, users;
