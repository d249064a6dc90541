-- One role and one database for each service; nobody may enter another's. Run once, by the first start, as superuser.
-- The passwords come from the environment, so that they are in no file.
\set ON_ERROR_STOP on
\getenv user_password USER_PASSWORD
\getenv notification_password NOTIFICATION_PASSWORD
\getenv audit_password AUDIT_PASSWORD
CREATE ROLE "user" LOGIN PASSWORD :'user_password';
CREATE ROLE notification LOGIN PASSWORD :'notification_password';
CREATE ROLE audit LOGIN PASSWORD :'audit_password';
CREATE DATABASE "user" OWNER "user";
CREATE DATABASE notification OWNER notification;
CREATE DATABASE audit OWNER audit;
REVOKE ALL ON DATABASE "user", notification, audit, postgres, template1 FROM PUBLIC;
