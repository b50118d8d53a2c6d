Feature: A new key for the passwords
  The passwords of mailboxes and profiles are encrypted with a key that lies in a file beside the database. A new key may be made at any time: it is put
  in front of the file, every password is encrypted anew in small steps, and then the old keys go. Where that is cut off, every password can still be
  read, and the next time it is brought to its end. Engines that are at work follow the file.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"

  Scenario: The engine logs in with the same passwords after the key has changed
    When the passwords get a new key
    And the engine runs
    Then the mail "Hello" became an email activity

  Scenario: A password that was written with another key file is said to be so, and nothing is lost
    Given the key file is another one than that of the database
    When a new key is asked for
    Then it is said that the key file has to be put back or the password entered again
